// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>
#include <rte_dev.h>

#include <sluice/model/ring_nic.hpp>

#include "ends.hpp"

namespace sluice::perf::subject {

namespace {

constexpr const char* vdev = "net_virtio_user0";

/// The device arguments that make this form of the device.
std::string arguments_of(const model::NicOptions& form, std::uint16_t ring, const std::string& socket) {
    return fmt::format("path={},queues=1,queue_size={},mrg_rxbuf={:d},in_order={:d},packed_vq={:d}", socket,
                       ring, form.mergeable, form.in_order, form.packed);
}

Result<> start_port(std::uint16_t port, std::uint16_t ring, rte_mempool* pool) {
    const rte_eth_conf config{};
    int status = rte_eth_dev_configure(port, 1, 1, &config);
    if (status == 0)
        status = rte_eth_rx_queue_setup(port, 0, ring, static_cast<unsigned>(SOCKET_ID_ANY), nullptr, pool);
    if (status == 0)
        status = rte_eth_tx_queue_setup(port, 0, ring, static_cast<unsigned>(SOCKET_ID_ANY), nullptr);
    if (status == 0)
        status = rte_eth_dev_start(port);
    return status == 0 ? Result<>{} : fail(-status, "cannot start DPDK's port", vdev);
}

} // namespace

Result<std::unique_ptr<DpdkEnds>> DpdkEnds::open(const Scenario& scenario, rte_mempool* pool,
                                                 const std::optional<model::BackendSetup>& behind) {
    auto form = model::soft_nic_form(scenario.variant);
    if (!form)
        return fail(ENOTSUP, "DPDK's driver for this device runs in a guest only: measure its guest rows",
                    scenario.id);
    std::unique_ptr<DpdkEnds> ends(new DpdkEnds);
    ends->socket_ = fmt::format("/tmp/sluice-perf-{}.sock", ::getpid());
    form->name = "perf";
    form->backend = behind.value_or(form->backend);
    auto nic = model::VhostNic::create(*form, ends->socket_);
    if (!nic)
        return propagate(std::move(nic));
    ends->nic_ = std::move(*nic);
    ends->pump_ = std::thread([raw = ends.get()] {
        pollfd waiting{.fd = raw->nic_->events_fd(), .events = POLLIN, .revents = 0};
        while (!raw->stop_.load())
            if (::poll(&waiting, 1, 20) > 0)
                raw->nic_->pump();
    });
    if (const int status =
            rte_eal_hotplug_add("vdev", vdev, arguments_of(*form, scenario.ring, ends->socket_).c_str());
        status != 0)
        return fail(-status, "DPDK does not make its port: net_virtio_user", scenario.id);
    if (rte_eth_dev_get_port_by_name(vdev, &ends->port_) != 0)
        return fail(ENODEV, "DPDK has no port net_virtio_user0");
    if (auto started = start_port(ends->port_, scenario.ring, pool); !started)
        return propagate(std::move(started));
    return ends;
}

DpdkEnds::~DpdkEnds() {
    if (port_ != RTE_MAX_ETHPORTS) {
        rte_eth_dev_stop(port_);
        rte_eth_dev_close(port_);
    }
    stop_.store(true);
    if (pump_.joinable())
        pump_.join();
}

} // namespace sluice::perf::subject
