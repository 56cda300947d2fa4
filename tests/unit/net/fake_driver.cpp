// SPDX-License-Identifier: BSD-3-Clause
#include "fake_driver.hpp"

#include <utility>

namespace net_test {
namespace {

class FakeDriver final : public net::Driver {
  public:
    explicit FakeDriver(Script& script)
        : script_(script) {
        info_.driver = "fake";
        info_.name = "fake0";
        info_.mac = {{2, 0, 0, 0, 0, 1}};
        constexpr net::DescriptorLimits ring = {.min = 32, .max = 1024, .multiple = 32, .preferred = 64};
        info_.limits = {.rx_queues = 2,
                        .tx_queues = 2,
                        .rx_descriptors = ring,
                        .tx_descriptors = ring,
                        .max_mtu = 9000,
                        .tx_segments = 4,
                        .mac_addresses = 3,
                        .rx_offloads = {.scatter = true},
                        .tx_offloads = {.multi_segment = true}};
    }
    ~FakeDriver() override { script_.calls.emplace_back("close"); }

    Result<> configure(const net::Config& config) override {
        auto ok = note("configure");
        if (ok)
            script_.config = config;
        return ok;
    }
    Result<> start(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) override {
        if (auto ok = note("start"); !ok)
            return ok;
        for (net::RxQueue& queue : rx)
            connect(queue.record());
        for (net::TxQueue& queue : tx)
            connect(queue.record());
        return {};
    }
    void stop() noexcept override { script_.calls.emplace_back("stop"); }
    Result<> reset() override { return note("reset"); }
    net::Link link() override { return {.up = true, .mbps = 10}; }
    Result<> set_filter(const net::RxFilter& filter) override {
        auto ok = note("filter");
        if (ok)
            script_.filter = filter;
        return ok;
    }
    Result<> set_mtu(std::uint16_t) override { return note("mtu"); }
    void stats(net::Stats& stats, std::vector<net::XStat>* extended) override {
        stats = script_.totals;
        if (extended != nullptr)
            extended->push_back({"special", script_.special});
    }
    int events_fd() const noexcept override { return 42; }
    net::Events service() override { return std::exchange(script_.events, net::Events{}); }
    Result<> rx_interrupt(std::uint16_t, bool on) override { return note(on ? "arm" : "disarm"); }
    Result<> set_link(bool) override { return note("link"); }

  private:
    Result<> note(const char* call) {
        script_.calls.emplace_back(call);
        if (script_.fail != call)
            return {};
        script_.fail.clear();
        return fail(EIO, "told to fail", call);
    }

    void connect(net::QueueRecord& record) {
        record.queue = &script_;
        record.counters = &counters_;
        record.driver = this;
        record.fd = script_.config.rx_interrupts ? 7 : -1;
        record.burst = [](void* queue, rte_mbuf**, std::uint16_t count) noexcept -> std::uint16_t {
            ++static_cast<Script*>(queue)->bursts;
            return count;
        };
    }

    Script& script_;
    net::QueueCounters counters_;
};

} // namespace

std::unique_ptr<net::Driver> make_driver(Script& script) {
    return std::make_unique<FakeDriver>(script);
}

} // namespace net_test
