// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>

#include <sluice/model/ring_nic.hpp>

#include "e1000_nic.hpp"

namespace sluice::inline v1::model {

namespace {

constexpr std::uint16_t virtio = 0x1af4;
constexpr std::uint16_t virtio_net = 0x1041;
constexpr std::uint16_t intel = 0x8086;

struct SoftForm {
    std::string_view name;
    bool packed;
    bool mergeable;
    bool in_order;
};
constexpr std::array soft_forms = {
    SoftForm{"split-mergeable", false, true, false},
    SoftForm{"split-plain", false, false, false},
    SoftForm{"split-inorder", false, false, true},
    SoftForm{"packed", true, true, false},
};

template <std::size_t Form>
Result<std::unique_ptr<device::Device>> make_virtio() {
    return make_soft_nic(*soft_nic_form(soft_forms[Form].name));
}

template <std::uint16_t Id>
Result<std::unique_ptr<device::Device>> make_e1000() {
    return E1000Nic::create(Id);
}

constexpr std::array all = {
    RingNic{soft_forms[0].name, virtio, virtio_net, make_virtio<0>},
    RingNic{soft_forms[1].name, virtio, virtio_net, make_virtio<1>},
    RingNic{soft_forms[2].name, virtio, virtio_net, make_virtio<2>},
    RingNic{soft_forms[3].name, virtio, virtio_net, make_virtio<3>},
    RingNic{"82574", intel, E1000Nic::id_82574, make_e1000<E1000Nic::id_82574>},
    RingNic{"82540", intel, E1000Nic::id_82540, make_e1000<E1000Nic::id_82540>},
};

} // namespace

std::span<const RingNic> ring_nics() noexcept {
    return all;
}

std::optional<NicOptions> soft_nic_form(std::string_view name) {
    const auto form = std::ranges::find(soft_forms, name, &SoftForm::name);
    if (form == soft_forms.end())
        return std::nullopt;
    NicOptions options;
    options.name = "model-virtio";
    options.backend.kind = "loop";
    options.packed = form->packed;
    options.mergeable = form->mergeable;
    options.in_order = form->in_order;
    options.mapped_doorbells = true;
    return options;
}

} // namespace sluice::inline v1::model
