// SPDX-License-Identifier: BSD-3-Clause
#include "kmod.hpp"

#include <ctime>
#include <string_view>

#include <sys/prctl.h>

namespace kmodtest {

Roles roles;

std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path);
    std::string s{std::istreambuf_iterator<char>(in), {}};
    while (!s.empty() && s.back() == '\n')
        s.pop_back();
    return s;
}

bool write_file(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int saved = errno;
    ::close(fd);
    errno = saved;
    return ok;
}

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

static std::string sysfs(const std::string& bdf) {
    return "/sys/bus/pci/devices/" + bdf;
}

std::string driver_of(const std::string& bdf) {
    char buf[256];
    const ssize_t n = ::readlink((sysfs(bdf) + "/driver").c_str(), buf, sizeof buf);
    if (n <= 0)
        return "";
    const std::string s(buf, static_cast<std::size_t>(n));
    return s.substr(s.rfind('/') + 1);
}

void unbind_driver(const std::string& bdf) {
    if (!driver_of(bdf).empty())
        CHECK(write_file(sysfs(bdf) + "/driver/unbind", bdf));
}

void bind_driver(const std::string& bdf, const std::string& driver) {
    if (driver_of(bdf) == driver)
        return;
    unbind_driver(bdf);
    CHECK(write_file(sysfs(bdf) + "/driver_override", driver));
    CHECK(write_file("/sys/bus/pci/drivers_probe", bdf));
    CHECK(driver_of(bdf) == driver);
}

static std::string group_name(const std::string& bdf) {
    char buf[256];
    const ssize_t n = ::readlink((sysfs(bdf) + "/sluice").c_str(), buf, sizeof buf);
    CHECK(n > 0);
    const std::string s(buf, static_cast<std::size_t>(n));
    return s.substr(s.rfind('/') + 1);
}

std::string group_node(const std::string& bdf) {
    return "/dev/sluice/" + group_name(bdf);
}

std::string group_sysfs(const std::string& bdf, const char* attr) {
    return read_file("/sys/class/sluice/" + group_name(bdf) + "/" + attr);
}

Fd open_group(const std::string& bdf) {
    return Fd(::open(group_node(bdf).c_str(), O_RDWR | O_CLOEXEC));
}

Fd new_space(const Fd& group) {
    auto a = arg<sluice_group_new_space>();
    return Fd(call(group.get(), SLUICE_GROUP_NEW_SPACE, a));
}

int attach(const Fd& group, const Fd& space) {
    auto a = arg<sluice_group_attach>();
    a.space_fd = space.get();
    return call(group.get(), SLUICE_GROUP_ATTACH, a);
}

Fd get_device(const Fd& group, const std::string& bdf) {
    auto a = arg<sluice_group_get_device>();
    std::strncpy(a.name, bdf.c_str(), sizeof a.name - 1);
    return Fd(call(group.get(), SLUICE_GROUP_GET_DEVICE, a));
}

int map(const Fd& space, const void* va, std::uint64_t iova, std::uint64_t length, std::uint32_t flags) {
    auto a = arg<sluice_space_map>(flags);
    a.vaddr = reinterpret_cast<std::uintptr_t>(va);
    a.iova = iova;
    a.length = length;
    return call(space.get(), SLUICE_SPACE_MAP, a);
}

int unmap(const Fd& space, std::uint64_t iova, std::uint64_t length, std::uint64_t* unmapped) {
    auto a = arg<sluice_space_unmap>();
    a.iova = iova;
    a.length = length;
    const int ret = call(space.get(), SLUICE_SPACE_UNMAP, a);
    if (unmapped)
        *unmapped = a.unmapped;
    return ret;
}

template <class T>
static T get(const Fd& device, unsigned region, std::uint64_t offset) {
    T v{};
    const auto at = static_cast<off_t>(SLUICE_REGION_OFFSET(region) + offset);
    CHECK_EQ(::pread(device.get(), &v, sizeof v, at), static_cast<ssize_t>(sizeof v));
    return v;
}

template <class T>
static void put(const Fd& device, unsigned region, std::uint64_t offset, T v) {
    const auto at = static_cast<off_t>(SLUICE_REGION_OFFSET(region) + offset);
    CHECK_EQ(::pwrite(device.get(), &v, sizeof v, at), static_cast<ssize_t>(sizeof v));
}

std::uint16_t read16(const Fd& d, unsigned region, std::uint64_t at) {
    return get<std::uint16_t>(d, region, at);
}
std::uint32_t read32(const Fd& d, unsigned region, std::uint64_t at) {
    return get<std::uint32_t>(d, region, at);
}
void write16(const Fd& d, unsigned region, std::uint64_t at, std::uint16_t v) {
    put(d, region, at, v);
}
void write32(const Fd& d, unsigned region, std::uint64_t at, std::uint32_t v) {
    put(d, region, at, v);
}

int set_irqs(const Fd& device, std::uint32_t index, std::uint32_t flags, std::uint32_t start,
             std::uint32_t count, const void* data) {
    auto a = arg<sluice_set_irqs>(flags);
    a.index = index;
    a.start = start;
    a.count = count;
    a.data = reinterpret_cast<std::uintptr_t>(data);
    return call(device.get(), SLUICE_SET_IRQS, a);
}

int set_eventfd(const Fd& device, std::uint32_t index, std::uint32_t vector, int eventfd) {
    return set_irqs(device, index, SLUICE_SET_TRIGGER | SLUICE_SET_DATA_EVENTFD, vector, 1, &eventfd);
}

bool fires(int eventfd, int ms) {
    pollfd p{eventfd, POLLIN, 0};
    if (::poll(&p, 1, ms) != 1)
        return false;
    std::uint64_t n;
    return ::read(eventfd, &n, sizeof n) == sizeof n && n > 0;
}

Opened::Opened(const std::string& bdf)
    : group(open_group(bdf)) {
    CHECK(group);
    space = new_space(group);
    CHECK(space);
    CHECK_EQ(attach(group, space), 0);
    device = get_device(group, bdf);
    CHECK(device);
}

Bar::Bar(int fd, std::uint64_t offset, std::size_t size)
    : size_(size) {
    void* p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
    CHECK(p != MAP_FAILED);
    base_ = static_cast<std::uint8_t*>(p);
}

static sigjmp_buf bus_jump;
static void on_bus(int) {
    siglongjmp(bus_jump, 1);
}

bool bus_error(const volatile void* p) {
    struct sigaction act, old;
    std::memset(&act, 0, sizeof act);
    act.sa_handler = on_bus;
    sigaction(SIGBUS, &act, &old);
    const bool hit = sigsetjmp(bus_jump, 1) != 0;
    if (!hit)
        (void)*static_cast<const volatile std::uint32_t*>(p);
    sigaction(SIGBUS, &old, nullptr);
    return hit;
}

// edu's registers: source 0x80, destination 0x88, count 0x90, command 0x98; its own buffer is at 0x40000.
void edu_dma(const Bar& bar, std::uint64_t iova, Dma way, std::uint32_t length) {
    const auto low = static_cast<std::uint32_t>(iova), high = static_cast<std::uint32_t>(iova >> 32);
    const bool out = way == Dma::to_memory;
    bar.put(0x80, out ? 0x40000 : low);
    bar.put(0x84, out ? 0 : high);
    bar.put(0x88, out ? low : 0x40000);
    bar.put(0x8c, out ? high : 0);
    bar.put(0x90, length);
    bar.put(0x94, 0);
    bar.put(0x98, static_cast<std::uint32_t>(way));
    bar.put(0x9c, 0);
    const double end = now() + 5;
    while ((bar.get(0x98) & 1) && now() < end)
        ::usleep(1000);
    CHECK_EQ(bar.get(0x98) & 1, 0U);
}

Parameter::Parameter(const char* name, const std::string& value)
    : path_(std::string("/sys/module/sluice_pci/parameters/") + name)
    , old_(read_file(path_)) {
    CHECK(write_file(path_, value));
}

Parameter::~Parameter() {
    write_file(path_, old_);
}

pid_t spawn_owner(const std::function<void()>& set_up, const std::function<void()>& then) {
    int p[2];
    CHECK_EQ(::pipe(p), 0);
    const pid_t pid = ::fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        ::close(p[0]);
        // a case that fails leaves no owner behind
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        try {
            set_up();
            CHECK_EQ(::write(p[1], "r", 1), 1);
            then();
        } catch (const Failure& f) {
            std::printf("owner: %s\n", f.text.c_str());
            std::fflush(stdout);
            ::_exit(1);
        }
        ::_exit(0);
    }
    ::close(p[1]);
    char c;
    const ssize_t n = ::read(p[0], &c, 1);
    ::close(p[0]);
    CHECK_EQ(n, 1);
    return pid;
}

// The kernel counts in each CPU apart, and adds up when asked.
long pinned_pages() {
    write_file("/proc/sys/vm/stat_refresh", "1");
    std::ifstream in("/proc/vmstat");
    std::string key;
    long value, pins = 0;
    while (in >> key >> value) {
        if (key == "nr_foll_pin_acquired")
            pins += value;
        if (key == "nr_foll_pin_released")
            pins -= value;
    }
    return pins;
}

} // namespace kmodtest

using kmodtest::Case;
using kmodtest::Failure;

// A case that neither ends nor fails within this is killed, and has failed.
constexpr unsigned kCaseSeconds = 60;

static bool run_case(const Case& c) {
    int p[2];
    if (::pipe(p) != 0)
        return false;
    std::fflush(stdout);
    const double begin = kmodtest::now();
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(kCaseSeconds);
        std::string text;
        try {
            c.run();
        } catch (const Failure& f) {
            text = f.text.empty() ? "?" : f.text;
        }
        std::fflush(stdout);
        if (::write(p[1], text.data(), text.size()) < 0)
            ::_exit(2);
        ::_exit(text.empty() ? 0 : 1);
    }
    ::close(p[1]);
    std::string text;
    char buf[512];
    for (ssize_t n; (n = ::read(p[0], buf, sizeof buf)) > 0;)
        text.append(buf, static_cast<std::size_t>(n));
    ::close(p[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    const bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok && text.empty())
        text = WIFSIGNALED(status) ? std::string("died: ") + strsignal(WTERMSIG(status)) : "?";
    std::printf("@@case kmod.%s %s%s%s\n", c.name, ok ? "pass" : "fail", ok ? "" : " ",
                ok ? "" : text.c_str());
    std::printf("  %s took %.1f s\n", c.name, kmodtest::now() - begin);
    std::fflush(stdout);
    return ok;
}

// kmod-test [edu=BDF] [nic=BDF] [flr=BDF] [pair0=BDF] [pair1=BDF] [NAME-PREFIX…]
int main(int argc, char** argv) {
    std::vector<std::string> wanted;
    for (int i = 1; i < argc; ++i) {
        const std::string a = argv[i];
        const auto eq = a.find('=');
        const std::string key = a.substr(0, eq), value = eq == std::string::npos ? "" : a.substr(eq + 1);
        if (eq == std::string::npos)
            wanted.push_back(a);
        else if (key == "edu")
            kmodtest::roles.edu = value;
        else if (key == "nic")
            kmodtest::roles.nic = value;
        else if (key == "flr")
            kmodtest::roles.flr = value;
        else if (key == "pair0")
            kmodtest::roles.pair0 = value;
        else if (key == "pair1")
            kmodtest::roles.pair1 = value;
        else
            return std::fprintf(stderr, "kmod-test: unknown role %s\n", key.c_str()), 2;
    }
    bool ok = true;
    unsigned run = 0;
    for (const Case& c : kmodtest::cases()) {
        const std::string_view name = c.name;
        // what needs a machine or a moment of its own is named to run
        bool want = wanted.empty() && !name.starts_with("special_") && !name.starts_with("timed_");
        for (const std::string& w : wanted)
            want |= name.starts_with(w);
        if (!want)
            continue;
        ok &= run_case(c);
        ++run;
    }
    return run == 0 ? 2 : ok ? 0 : 1;
}
