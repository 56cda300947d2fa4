// SPDX-License-Identifier: BSD-3-Clause
#include <array>

#include <sluice/model/ring_nic.hpp>
#include <sluice/model/soft_nic.hpp>

#include "e1000_nic.hpp"

namespace sluice::inline v1::model {

namespace {

constexpr std::uint16_t virtio = 0x1af4;
constexpr std::uint16_t virtio_net = 0x1041;
constexpr std::uint16_t intel = 0x8086;

template <bool Packed, bool Mergeable, bool InOrder>
Result<std::unique_ptr<device::Device>> make_virtio() {
    NicOptions options;
    options.name = "model-virtio";
    options.backend.kind = "loop";
    options.packed = Packed;
    options.mergeable = Mergeable;
    options.in_order = InOrder;
    options.mapped_doorbells = true;
    return make_soft_nic(std::move(options));
}

template <std::uint16_t Id>
Result<std::unique_ptr<device::Device>> make_e1000() {
    return E1000Nic::create(Id);
}

constexpr std::array all = {
    RingNic{"split-mergeable", virtio, virtio_net, make_virtio<false, true, false>},
    RingNic{"split-plain", virtio, virtio_net, make_virtio<false, false, false>},
    RingNic{"split-inorder", virtio, virtio_net, make_virtio<false, false, true>},
    RingNic{"packed", virtio, virtio_net, make_virtio<true, true, false>},
    RingNic{"82574", intel, E1000Nic::id_82574, make_e1000<E1000Nic::id_82574>},
    RingNic{"82540", intel, E1000Nic::id_82540, make_e1000<E1000Nic::id_82540>},
};

} // namespace

std::span<const RingNic> ring_nics() noexcept {
    return all;
}

} // namespace sluice::inline v1::model
