// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cerrno>

#include <sluice/model/ring_nic.hpp>
#include <sluice/net/mbuf.hpp>

#include "ends.hpp"
#include "tables.hpp"

namespace sluice::perf::subject {

namespace {

Result<std::unique_ptr<device::Device>> make_before(const model::RingNic& nic,
                                                    const model::BackendSetup& behind) {
    auto form = model::soft_nic_form(nic.name);
    if (!form)
        return fail(ENOTSUP, "only the soft NIC has a wire: choose a scenario of virtio",
                    std::string(nic.name));
    form->backend = behind;
    return model::make_soft_nic(std::move(*form));
}

} // namespace

Result<std::unique_ptr<OurEnds>> OurEnds::open(const Scenario& scenario, rte_mempool* pool,
                                               const std::optional<model::BackendSetup>& behind) {
    const auto nics = model::ring_nics();
    const auto nic = std::ranges::find(nics, scenario.variant, &model::RingNic::name);
    if (nic == nics.end())
        return fail(EINVAL, "no such model", scenario.variant);
    net::allow_avx2(scenario.isa != "scalar");
    if (scenario.isa == "avx2" && !net::use_avx2())
        return fail(ENOTSUP, "this processor, or its emulator, has no AVX2", scenario.id);
    auto device = behind ? make_before(*nic, *behind) : nic->make();
    if (!device)
        return propagate(std::move(device));
    device::Device& model = **device;
    const net::Description* description = drivers::find_driver(nic->vendor, nic->device);
    if (description == nullptr)
        return fail(ENOTSUP, "this build has no driver for the model", scenario.variant);
    auto driver = description->open(std::move(*device));
    if (!driver)
        return propagate(std::move(driver));
    net::Config config;
    config.pool = pool;
    config.rx_descriptors = config.tx_descriptors = scenario.ring;
    auto port = net::Port::create(std::move(*driver), "perf:", config);
    if (!port)
        return propagate(std::move(port));
    return std::unique_ptr<OurEnds>(new OurEnds(model, std::move(*port)));
}

} // namespace sluice::perf::subject
