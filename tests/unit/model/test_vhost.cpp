// SPDX-License-Identifier: BSD-3-Clause
/// A soft NIC behind vhost-user, and front-ends that it must survive.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/base/bus_error.hpp>
#include <sluice/base/event_fd.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/model/vhost_nic.hpp>
#include <sluice/vhost_user/front_end.hpp>

namespace {

using namespace sluice;
using vhost_user::Request;

constexpr std::uint64_t guest_base = 0x4000'0000'0000;
constexpr std::uint64_t user_base = 0x7f00'0000'0000;
constexpr std::uint64_t piece = 0x10000; ///< bytes of a region
constexpr std::uint16_t ring_size = 8;
constexpr std::uint64_t driver_at = 0x1000;
constexpr std::uint64_t device_at = 0x2000;

bool wait_until(const std::function<bool()>& what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!what()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::yield();
    }
    return true;
}

/// A NIC that generates frames, with the thread that pumps it.
class Served {
  public:
    Served(std::string at, bool packed)
        : path(std::move(at)) {
        model::NicOptions options;
        options.name = "generating";
        options.backend.kind = "gen";
        options.packed = packed;
        nic = model::VhostNic::create(options, path).value();
        pumper_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                nic->pump();
                std::this_thread::yield();
            }
        });
    }
    /// What was counted, once nobody pumps.
    model::VhostCounters finish() {
        pumper_ = {};
        return nic->counters();
    }

    const std::string path;
    std::unique_ptr<model::VhostNic> nic;

  private:
    std::jthread pumper_;
};

/// A front-end with one receive ring of one buffer; the ring's areas in one file, the buffer in another.
class Front {
  public:
    Front(const std::string& path, bool packed)
        : front_(vhost_user::connect(path).value()) {
        for (std::size_t i = 0; i < 2; ++i) {
            files_[i] = UniqueFd(::memfd_create("front", MFD_CLOEXEC));
            EXPECT_EQ(::ftruncate(files_[i].get(), piece), 0);
        }
        auto mapped = Mapping::shared(files_[0].get(), piece, 0, PROT_READ | PROT_WRITE);
        EXPECT_TRUE(mapped);
        ring_ = std::move(*mapped);
        post(packed);
        EXPECT_TRUE(run(packed)) << "set-up";
    }

    /// True once the device has used the buffer.
    bool used(bool packed) const {
        const auto* const words = reinterpret_cast<const std::uint16_t*>(ring_.data());
        // Packed: the descriptor's flags, both bits set. Split: the used ring's index.
        const auto* const word = packed ? words + 7 : words + device_at / 2 + 1;
        const auto now = std::atomic_ref(const_cast<std::uint16_t&>(*word)).load(std::memory_order_acquire);
        return packed ? (now & 0x8080U) == 0x8080U : now == 1;
    }
    void take_back(std::size_t region) { EXPECT_EQ(::ftruncate(files_[region].get(), 0), 0); }

  private:
    /// One buffer of 4,096 bytes made available. virtio 1.2 §2.7.5, §2.8.1.
    void post(bool packed) {
        std::byte* const at = ring_.data();
        const auto put = [at](std::uint64_t offset, auto value) {
            std::memcpy(at + offset, &value, sizeof value);
        };
        put(0, guest_base + piece);
        put(8, std::uint32_t{4096});
        if (packed) {
            put(12, std::uint16_t{3});
            put(14, std::uint16_t{0x82}); // available in the first lap, the device writes
            return;
        }
        put(12, std::uint16_t{2});
        put(driver_at + 2, std::uint16_t{1}); // avail->idx; entry 0 is descriptor 0
    }
    Result<> run(bool packed) {
        const std::uint64_t features = (std::uint64_t{1} << 32) | (packed ? std::uint64_t{1} << 34 : 0);
        if (auto there = front_.features(); !there || (*there & features) != features)
            return fail(EPROTO, "features");
        if (auto ok = front_.negotiate_protocol(~std::uint64_t{0}); !ok)
            return propagate(std::move(ok));
        const std::array<vhost_user::MemoryRegion, 2> regions = {
            {{guest_base, piece, user_base, 0}, {guest_base + piece, piece, user_base + piece, 0}}};
        const int fds[] = {files_[0].get(), files_[1].get()};
        const vhost_user::RingAddresses where = {
            0, 0, user_base, user_base + device_at, user_base + driver_at, 0};
        if (auto ok = front_.set_features(features | vhost_user::protocol_features_bit); !ok)
            return ok;
        if (auto ok = front_.set_memory(regions, fds); !ok)
            return ok;
        if (auto ok = front_.set_ring(Request::set_vring_num, 0, ring_size); !ok)
            return ok;
        if (auto ok = front_.set_ring(Request::set_vring_base, 0, packed ? 0x8000 : 0); !ok)
            return ok;
        if (auto ok = front_.set_ring_addresses(where); !ok)
            return ok;
        if (auto ok = front_.set_ring_fd(Request::set_vring_kick, 0, -1); !ok)
            return ok;
        return front_.set_ring(Request::set_vring_enable, 0, 1);
    }

    vhost_user::FrontEnd front_;
    std::array<UniqueFd, 2> files_;
    Mapping ring_;
};

struct Case {
    bool packed;
    std::size_t region;
};

class VhostNicTest : public testing::TestWithParam<Case> {
  protected:
    static std::string path(const char* name) {
        return testing::TempDir() + "sluice-vhost-nic-" + name + std::to_string(::getpid());
    }
    const bool packed = GetParam().packed;
};

INSTANTIATE_TEST_SUITE_P(, VhostNicTest,
                         testing::Values(Case{false, 0}, Case{false, 1}, Case{true, 0}, Case{true, 1}),
                         [](const auto& each) {
                             return std::string(each.param.packed ? "packed_" : "split_") +
                                    (each.param.region == 0 ? "rings" : "buffers");
                         });

TEST_P(VhostNicTest, drops_a_front_end_that_takes_its_memory_back_and_serves_others) {
    handle_bus_errors();
    Served served(path("one"), packed);
    Served neighbour(path("two"), packed);
    const Front good(neighbour.path, packed);
    {
        Front bad(served.path, packed);
        ASSERT_TRUE(served.nic->connected());
        bad.take_back(GetParam().region);
        // A poll gives way to whoever controls the device, and then moves nothing.
        EXPECT_TRUE(wait_until([&] {
            served.nic->poll();
            return !served.nic->connected();
        }));
        EXPECT_EQ(served.nic->poll(), 0U);
    }
    EXPECT_TRUE(wait_until([&] {
        neighbour.nic->poll();
        return good.used(packed);
    }));
    EXPECT_TRUE(neighbour.nic->connected());
    {
        const Front next(served.path, packed);
        EXPECT_TRUE(wait_until([&] {
            served.nic->poll();
            return next.used(packed);
        }));
    }
    EXPECT_TRUE(wait_until([&] { return !served.nic->connected(); }));
    const auto counted = served.finish();
    EXPECT_EQ(counted.clients, 2U);
    EXPECT_EQ(counted.dropped, 1U);
    EXPECT_EQ(counted.refused, 0U);
    EXPECT_EQ(neighbour.finish().dropped, 0U);
}

TEST_P(VhostNicTest, sends_away_who_comes_beside_and_who_reads_no_answers) {
    Served served(path("one"), packed);
    auto greedy = vhost_user::connect(served.path).value();
    ASSERT_TRUE(wait_until([&] { return served.nic->connected(); }));
    auto beside = vhost_user::connect(served.path).value();
    char nothing = 0;
    EXPECT_TRUE(wait_until([&] { return ::read(beside.get(), &nothing, 1) == 0; }));
    const vhost_user::Header ask{static_cast<std::uint32_t>(Request::get_features), vhost_user::version, 0};
    EXPECT_TRUE(wait_until([&] {
        static_cast<void>(::send(greedy.get(), &ask, sizeof ask, MSG_DONTWAIT | MSG_NOSIGNAL));
        return !served.nic->connected();
    }));
    const auto counted = served.finish();
    EXPECT_EQ(counted.busy, 1U);
    EXPECT_EQ(counted.dropped, 1U);
}

} // namespace
