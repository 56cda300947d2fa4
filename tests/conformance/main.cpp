// SPDX-License-Identifier: BSD-3-Clause
// Runs the device-level tests on one physical device: test_device --device=BDF [--served] [--gtest_…].
// --served: a server in a thread of this program's has the device, and the tests' is its vfio-user client.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <sluice/base/log.hpp>
#include <sluice/device/vfio_user.hpp>
#include <sluice/serve/server.hpp>

#include "device_under_test.hpp"

namespace sluice::conformance {

namespace {

// edu: QEMU, docs/specs/edu. 82574: STATUS, §10.2.2.2 of its datasheet, is neither 0 nor all ones with a
// link.
constexpr Kind kinds[] = {
    {0x1234, 0x11e8, "Edu*", 0, 0x00},
    {0x8086, 0x10d3, "E1000e*", 0, 0x08},
};

std::optional<pci::Address> the_address;
const Kind* the_kind = nullptr;

std::optional<pci::Address> the_other;

/// The physical device and its server, one at a time: the next one takes it from the former.
class Served {
  public:
    static Result<std::unique_ptr<Served>> create(const device::OpenOptions& options) {
        auto device = device::open(address(), options);
        if (!device)
            return propagate(std::move(device));
        auto server = serve::Server::listen(**device, socket_path());
        if (!server)
            return propagate(std::move(server));
        return std::unique_ptr<Served>(new Served(std::move(*device), std::move(*server)));
    }
    static std::string socket_path() {
        return ::testing::TempDir() + "sluice-conformance-" + std::to_string(::getpid());
    }

  private:
    Served(std::unique_ptr<device::Device> device, std::unique_ptr<serve::Server> server)
        : device_(std::move(device))
        , server_(std::move(server))
        , thread_([raw = server_.get()](const std::stop_token& stop) {
            while (!stop.stop_requested())
                if (pollfd waits{raw->fd(), POLLIN, 0}; ::poll(&waits, 1, 10) == 1)
                    raw->pump();
        }) {}

    std::unique_ptr<device::Device> device_;
    std::unique_ptr<serve::Server> server_;
    std::jthread thread_;
};

bool is_served = false;
std::unique_ptr<Served> the_served;

Result<std::unique_ptr<device::Device>> open_served(const device::OpenOptions& options) {
    the_served.reset();
    auto served = Served::create(options);
    if (!served)
        return propagate(std::move(served));
    the_served = std::move(*served);
    auto client = device::connect(Served::socket_path());
    if (!client)
        return propagate(std::move(client));
    return std::move(*client);
}

/// The value of an option such as "--device=", empty when it is not there.
std::string_view argument(int argc, char** argv, std::string_view option) {
    for (int i = 1; i < argc; ++i)
        if (std::string_view(argv[i]).starts_with(option))
            return std::string_view(argv[i]).substr(option.size());
    return {};
}

/// False, with the reason printed, when there is no device to test.
bool find_device(std::string_view text) {
    auto parsed = pci::Address::parse(text);
    if (!parsed) {
        std::fprintf(stderr, "usage: test_device --device=BDF: %s\n", parsed.error().message().c_str());
        return false;
    }
    the_address = *parsed;
    auto found = pci::Sysfs().find(*parsed);
    if (!found) {
        std::fprintf(stderr, "%s\n", found.error().message().c_str());
        return false;
    }
    for (const Kind& candidate : kinds)
        if (candidate.vendor == found->vendor && candidate.device == found->device)
            the_kind = &candidate;
    if (the_kind == nullptr) {
        std::fprintf(stderr, "no tests for a device %04x:%04x\n", found->vendor, found->device);
        return false;
    }
    std::printf("device %s %04x:%04x, driver %s\n", parsed->to_string().c_str(), found->vendor, found->device,
                found->driver.c_str());
    return true;
}

} // namespace

const pci::Address& address() {
    return *the_address;
}

const pci::Address& other() {
    return *the_other;
}

const Kind& kind() {
    return *the_kind;
}

pci::Function function() {
    return pci::Sysfs().find(address()).value();
}

std::vector<std::uint8_t> raw_config() {
    std::ifstream file(pci::Sysfs().device_path(address()) + "/config", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<device::Device> open_device(const device::OpenOptions& options) {
    auto opened = is_served ? open_served(options) : device::open(address(), options);
    if (!opened) {
        ADD_FAILURE() << opened.error().message();
        return nullptr;
    }
    return std::move(*opened);
}

bool arrives(const EventFd& event) {
    return event.wait(2000) && event.take() > 0;
}

bool silent(const EventFd& event) {
    return !event.wait(150);
}

void OpenDevice::SetUp() {
    device_ = open_device();
    ASSERT_NE(device_, nullptr);
    ASSERT_TRUE(dev().config().set_memory_decoding(true));
    ASSERT_TRUE(dev().config().set_bus_master(true));
    auto io = device::RegionIo::create(dev(), device::bar(kind().bar));
    ASSERT_TRUE(io) << io.error().message();
    registers_ = std::move(*io);
}

} // namespace sluice::conformance

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    using namespace sluice::conformance;
    if (!find_device(argument(argc, argv, "--device=")))
        return 2;
    std::string suites = std::string("Device*:") + kind().suites;
    for (int i = 1; i < argc; ++i)
        is_served = is_served || std::string_view(argv[i]) == "--served";
    if (auto second = sluice::pci::Address::parse(argument(argc, argv, "--other=")))
        the_other = *second;
    else
        suites += ":-DevicePair*";
    // A served device's openings and address space are the protocol's (tests/unit/serve), and its BARs may be
    // trapped; config space, its effects and interrupts are what they are on every transport.
    if (is_served)
        suites = std::string("DeviceConfig*:DeviceInterrupts*:DeviceRegions.refuse*:DeviceRegions.stay*:") +
                 kind().suites;
    if (::testing::GTEST_FLAG(filter) == "*")
        ::testing::GTEST_FLAG(filter) = suites;
    const int status = RUN_ALL_TESTS();
    the_served.reset();
    return status;
}
