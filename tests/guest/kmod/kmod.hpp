// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The module's uapi as directly as possible, with nothing of Sluice's libraries in between, and the few lines
// that make a guest suite of it: cases run in a child each, so that one that hangs or dies fails alone.

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sluice_pci_uapi.h"

namespace kmodtest {

struct Failure {
    std::string text;
};

#define KT_STRING2(x) #x
#define KT_STRING(x) KT_STRING2(x)
#define CHECK(cond)                                                                                          \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            throw kmodtest::Failure{__FILE_NAME__ ":" KT_STRING(__LINE__) ": " #cond +                       \
                                    std::string(" errno ") + std::strerror(errno)};                          \
    } while (0)
#define CHECK_EQ(a, b) kmodtest::check_eq((a), (b), __FILE_NAME__ ":" KT_STRING(__LINE__) ": " #a " == " #b)
/// The call fails with this errno.
#define CHECK_ERRNO(call, code)                                                                              \
    kmodtest::check_errno((call), code, __FILE_NAME__ ":" KT_STRING(__LINE__) ": " #call)

template <class A, class B>
void check_eq(const A& a, const B& b, const char* what) {
    if (!(a == static_cast<A>(b))) {
        throw Failure{std::string(what) + ": " + std::to_string(a) + " is not " +
                      std::to_string(static_cast<A>(b)) + ", errno " + std::strerror(errno)};
    }
}

inline void check_errno(long ret, int code, const char* what) {
    const int got = ret < 0 ? errno : 0;
    if (got != code) {
        throw Failure{std::string(what) + ": gave " + std::strerror(got) + ", not " + std::strerror(code)};
    }
}

/// A case needs devices by role; one whose role is missing in this machine fails, it is never skipped.
struct Roles {
    std::string edu;   ///< QEMU's edu
    std::string nic;   ///< e1000e on a root port of its own
    std::string flr;   ///< virtio-net: it has function reset, and vendor capabilities
    std::string pair0; ///< two functions of one slot: one group
    std::string pair1;
};
extern Roles roles;

struct Case {
    const char* name;
    void (*run)();
};
std::vector<Case>& cases();

struct Register {
    Register(const char* name, void (*run)()) { cases().push_back({name, run}); }
};
#define CASE(name)                                                                                           \
    static void name();                                                                                      \
    static const kmodtest::Register name##_registered{#name, name};                                          \
    static void name()

class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd)
        : fd_(fd) {}
    Fd(Fd&& o) noexcept
        : fd_(std::exchange(o.fd_, -1)) {}
    Fd& operator=(Fd&& o) noexcept {
        std::swap(fd_, o.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    void reset() {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

template <class T>
T arg(std::uint32_t flags = 0) {
    T t;
    std::memset(&t, 0, sizeof t);
    t.size = sizeof t;
    t.flags = flags;
    return t;
}

template <class T>
int call(int fd, unsigned long cmd, T& t) {
    return ::ioctl(fd, cmd, &t);
}

inline constexpr std::size_t kPage = 4096;
inline constexpr std::uint64_t kIova = 0x100000; ///< where cases map their memory

/// Whole open path, thrown together.
std::string group_node(const std::string& bdf);
std::string group_sysfs(const std::string& bdf, const char* attr);
Fd open_group(const std::string& bdf);
Fd new_space(const Fd& group);
int attach(const Fd& group, const Fd& space);
Fd get_device(const Fd& group, const std::string& bdf);
int map(const Fd& space, const void* va, std::uint64_t iova, std::uint64_t length,
        std::uint32_t flags = SLUICE_MAP_READ | SLUICE_MAP_WRITE);
int unmap(const Fd& space, std::uint64_t iova, std::uint64_t length, std::uint64_t* unmapped = nullptr);
std::uint16_t read16(const Fd& device, unsigned region, std::uint64_t offset);
std::uint32_t read32(const Fd& device, unsigned region, std::uint64_t offset);
void write16(const Fd& device, unsigned region, std::uint64_t offset, std::uint16_t value);
void write32(const Fd& device, unsigned region, std::uint64_t offset, std::uint32_t value);
int set_irqs(const Fd& device, std::uint32_t index, std::uint32_t flags, std::uint32_t start,
             std::uint32_t count, const void* data = nullptr);
int set_eventfd(const Fd& device, std::uint32_t index, std::uint32_t vector, int eventfd);
bool fires(int eventfd, int ms = 2000);

struct Opened {
    Fd group, space, device;
    explicit Opened(const std::string& bdf);
};

/// BAR 0 of edu or e1000e.
class Bar {
  public:
    Bar(int fd, std::uint64_t offset, std::size_t size);
    ~Bar() { ::munmap(base_, size_); }
    Bar(const Bar&) = delete;
    std::uint32_t get(std::size_t at) const { return *reinterpret_cast<volatile std::uint32_t*>(base_ + at); }
    void put(std::size_t at, std::uint32_t v) const {
        *reinterpret_cast<volatile std::uint32_t*>(base_ + at) = v;
    }
    std::uint8_t* base() const { return base_; }

  private:
    std::uint8_t* base_;
    std::size_t size_;
};

/// Does touching this address raise SIGBUS?
bool bus_error(const volatile void* p);

/// A page of shared memory, zeroed, or several.
class Memory {
  public:
    explicit Memory(std::size_t size, int flags = MAP_SHARED | MAP_ANONYMOUS)
        : size_(size)
        , base_(static_cast<std::uint8_t*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0))) {
        CHECK(base_ != MAP_FAILED);
    }
    ~Memory() { ::munmap(base_, size_); }
    Memory(const Memory&) = delete;
    std::uint8_t* data() const { return base_; }
    std::size_t size() const { return size_; }

  private:
    std::size_t size_;
    std::uint8_t* base_;
};

/// One DMA of QEMU's edu (docs/specs/edu): 256 bytes between an IOVA and its buffer.
enum class Dma { from_memory = 1, to_memory = 3 };
void edu_dma(const Bar& bar, std::uint64_t iova, Dma way, std::uint32_t length = 256);

std::string read_file(const std::string& path);
bool write_file(const std::string& path, const std::string& text);
void bind_driver(const std::string& bdf, const std::string& driver);
void unbind_driver(const std::string& bdf);
std::string driver_of(const std::string& bdf);
/// Sets a module parameter, and puts the old value back.
class Parameter {
  public:
    Parameter(const char* name, const std::string& value);
    ~Parameter();

  private:
    std::string path_, old_;
};
/// Runs a function in a child that reports when it is ready, and stays until it is killed.
pid_t spawn_owner(const std::function<void()>& set_up, const std::function<void()>& then);
long pinned_pages();
double now();

} // namespace kmodtest
