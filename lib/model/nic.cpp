// SPDX-License-Identifier: BSD-3-Clause
// The soft NIC as a device: what it is, its life, and its frames.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "nic.hpp"

namespace sluice::inline v1::model {

namespace {

using device::Irq;

constexpr std::uint16_t vendor = 0x1af4;
constexpr std::uint16_t modern_net = 0x1041;
constexpr std::uint32_t ethernet = 0x020000;

// The table of vectors has a BAR of its own.
constexpr unsigned vectors_bar = 1;
constexpr std::uint32_t pending_at = 0x1000;
constexpr std::uint64_t vectors_bytes = 0x2000;
constexpr unsigned registers_bar = 4;
constexpr std::uint32_t common_at = 0x0000;
constexpr std::uint32_t common_bytes = 0x38;
constexpr std::uint32_t config_bytes = 0x18;
constexpr std::uint32_t notify_bytes = 0x1000;
constexpr std::uint32_t notify_multiplier = 4;
constexpr std::uint64_t registers_bytes = 0x4000;

constexpr std::uint8_t vendor_capability = 0x09;

std::uint64_t offer(const NicOptions& options) noexcept {
    using namespace feature;
    std::uint64_t bits = csum | guest_csum | guest_tso4 | guest_tso6 | host_tso4 | host_tso6 | feature::mac |
                         feature::status | version_1 | access_platform | speed_duplex;
    if (!options.mapped_doorbells)
        bits |= ctrl_vq | ctrl_rx | ctrl_mac;
    if (options.in_order)
        bits |= feature::in_order;
    if (options.mergeable)
        bits |= mrg_rxbuf;
    if (options.packed)
        bits |= ring_packed;
    if (options.queues > 1)
        bits |= mq;
    return bits;
}

std::array<std::byte, 6> address_of_its_own() noexcept {
    static std::atomic<std::uint16_t> next{1};
    const std::uint16_t serial = next.fetch_add(1);
    return {std::byte{0x02},
            std::byte{0x53},
            std::byte{0x4c},
            std::byte{0},
            static_cast<std::byte>(serial >> 8),
            static_cast<std::byte>(serial)};
}

device::Identity identity_of(const NicOptions& options) {
    device::Identity who;
    who.name = options.name;
    who.transport = "inproc";
    who.vendor = vendor;
    who.device = modern_net;
    who.subsystem_vendor = vendor;
    who.subsystem_device = 0x1100;
    who.revision = 1;
    who.class_code = ethernet;
    return who;
}

/// §4.1.4.
Capability structure(std::uint8_t type, std::uint32_t offset, std::uint32_t bytes) {
    Capability capability{vendor_capability, {16, type, registers_bar, 0, 0, 0}, {}};
    for (const std::uint32_t word : {offset, bytes})
        for (unsigned shift = 0; shift < 32; shift += 8)
            capability.body.push_back(static_cast<std::uint8_t>(word >> shift));
    return capability;
}

std::vector<Capability> capabilities(unsigned vectors) {
    Capability notify = structure(2, notify_at, notify_bytes);
    notify.body[0] = 20;
    notify.body.insert(notify.body.end(), {notify_multiplier, 0, 0, 0});
    return {msix_capability(vectors, vectors_bar, 0, pending_at), structure(1, common_at, common_bytes),
            std::move(notify), structure(3, isr_at, 1), structure(4, config_at, config_bytes)};
}

} // namespace

Result<std::unique_ptr<device::Device>> make_soft_nic(NicOptions options) {
    return SoftNic::create(std::move(options));
}

Result<std::unique_ptr<device::Device>> SoftNic::create(NicOptions options) {
    if (options.queues == 0 || options.queues > NicOptions::max_queues)
        return fail(EINVAL, "a soft NIC has 1 to 64 queue pairs", options.name);
    options.backend.queues = options.queues;
    options.backend.device = options.name;
    auto backend = make_backend(options.backend);
    if (!backend)
        return propagate(std::move(backend));
    auto space = options.space ? options.space : device::inproc::TableSpace::create();
    std::unique_ptr<SoftNic> nic(new SoftNic(options, std::move(*backend), std::move(space)));
    if (auto built = nic->build_device(); !built)
        return propagate(std::move(built));
    return nic;
}

SoftNic::SoftNic(const NicOptions& options, std::unique_ptr<Backend> backend,
                 std::shared_ptr<device::AddressSpace> space)
    : ModelDevice(identity_of(options), space)
    , offered_(offer(options))
    , mac_(options.mac.value_or(address_of_its_own()))
    , backend_(std::move(backend))
    , memory_(std::move(space))
    , datapath_(*backend_, options.queues, [this](unsigned index) { interrupt(queues_[index].vector, 1); })
    , queues_(2 * std::size_t{options.queues} + 1)
    , mapped_doorbells_(options.mapped_doorbells) {
    datapath_.want_doorbells(options.mapped_doorbells);
}

SoftNic::~SoftNic() {
    const std::lock_guard lock(mutex_);
    clear();
}

Result<> SoftNic::build_device() {
    clear();
    const auto vectors = static_cast<unsigned>(queues_.size() + 1);
    device::inproc::ModelSetup setup;
    setup.regions.push_back({.region = device::bar(vectors_bar), .size = vectors_bytes});
    setup.regions.push_back(
        {.region = device::bar(registers_bar),
         .size = registers_bytes,
         .mappable = mapped_doorbells_ ? std::vector<device::Area>{{notify_at, notify_bytes}}
                                       : std::vector<device::Area>{},
         .on_read = [this](auto offset, auto width) { return read_register(offset, width); },
         .on_write = [this](auto offset, auto width, auto value) { write_register(offset, width, value); }});
    setup.vectors[static_cast<std::size_t>(Irq::intx)] = 1;
    setup.vectors[static_cast<std::size_t>(Irq::msix)] = vectors;
    setup.vectors[static_cast<std::size_t>(Irq::error)] = 1;
    setup.vectors[static_cast<std::size_t>(Irq::request)] = 1;
    Result<> added;
    setup.config = [&](device::inproc::ConfigImage& image) {
        constexpr std::size_t interrupt_pin = 0x3d;
        image.bytes()[interrupt_pin] = 1;
        added = add_capabilities(image, capabilities(vectors));
    };
    setup.on_reset = [this]() -> Result<> {
        const auto lock = take_over();
        clear();
        return {};
    };
    auto built = build(std::move(setup));
    return built && !added ? added : built;
}

std::unique_lock<std::mutex> SoftNic::take_over() noexcept {
    waiting_.fetch_add(1);
    std::unique_lock lock(mutex_);
    waiting_.fetch_sub(1);
    return lock;
}

Result<> SoftNic::read(device::Region region, std::uint64_t offset, std::span<std::byte> bytes) {
    const auto lock = take_over();
    return ModelDevice::read(region, offset, bytes);
}

Result<> SoftNic::write(device::Region region, std::uint64_t offset, std::span<const std::byte> bytes) {
    const auto lock = take_over();
    return ModelDevice::write(region, offset, bytes);
}

/// As at birth: no DMA afterwards.
void SoftNic::clear() noexcept {
    if (datapath_.active() != 0)
        datapath_.run(0);
    for (unsigned index = 0; index < control_index(); ++index)
        datapath_.stop_queue(index);
    control_.stop();
    std::ranges::fill(queues_, Queue{});
    for (Queue& queue : queues_)
        queue.size = max_queue_size;
    datapath_.filter() = {};
    datapath_.filter().own = mac_;
    accepted_ = 0;
    offered_select_ = accepted_select_ = 0;
    config_vector_ = 0xffff;
    select_ = 0;
    status_ = 0;
    isr_.store(0);
}

/// §3.1.1 step 8.
void SoftNic::go_live() noexcept {
    const MemoryGuard guard(memory_);
    space_changes_ = space()->changes();
    datapath_.set_features(accepted_);
    for (unsigned index = 0; index < queues_.size(); ++index)
        if (queues_[index].enabled)
            start_queue(index);
    datapath_.run(1); // §5.1.6.5.5: one pair until the driver says otherwise
}

void SoftNic::start_queue(unsigned index) noexcept {
    const auto areas = find_areas(queues_[index]);
    if (!areas)
        return needs_reset();
    if (index == control_seen() && (accepted_ & feature::ctrl_vq) != 0)
        control_.start(*areas, packed());
    else if (index < control_index())
        datapath_.start_queue(index, *areas);
}

/// The queue's areas in this process: each in one piece, and aligned as §2.7 and §2.8 want it.
std::optional<RingMemory> SoftNic::find_areas(const Queue& queue) noexcept {
    const RingSizes sizes = RingSizes::of(queue.size, packed());
    const std::size_t driver_alignment = packed() ? 4 : RingSizes::driver_alignment;
    if (queue.desc % RingSizes::desc_alignment != 0 || queue.driver % driver_alignment != 0 ||
        queue.device % RingSizes::device_alignment != 0)
        return std::nullopt;
    const RingMemory found{queue.size, memory_.contiguous(queue.desc, sizes.desc, packed()),
                           memory_.contiguous(queue.driver, sizes.driver, false),
                           memory_.contiguous(queue.device, sizes.device, true)};
    if (found.desc == nullptr || found.driver == nullptr || found.device == nullptr)
        return std::nullopt;
    return found;
}

/// Mappings have gone: rings that were in them are lost, the others may be where they were.
void SoftNic::follow_memory() noexcept {
    space_changes_ = space()->changes();
    for (unsigned index = 0; index < queues_.size(); ++index) {
        const bool is_control = index == control_seen() && control_.running();
        if (!is_control && (index >= control_index() || !datapath_.running(index)))
            continue;
        if (const auto areas = find_areas(queues_[index])) {
            if (is_control)
                control_.move(*areas);
            else
                datapath_.move_queue(index, *areas);
            continue;
        }
        if (is_control)
            control_.stop();
        else
            datapath_.stop_queue(index);
        needs_reset();
    }
}

std::size_t SoftNic::poll() noexcept {
    if (waiting_.load(std::memory_order_relaxed) != 0)
        return 0;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || !live())
        return 0;
    const MemoryGuard guard(memory_);
    if (space()->changes() != space_changes_)
        follow_memory();
    const std::size_t moved = datapath_.poll(memory_);
    if (datapath_.take_alarm())
        needs_reset();
    return moved;
}

void SoftNic::doorbell(unsigned index) noexcept {
    if (index != control_seen() || !control_.running() || control_.broken() || !live())
        return;
    const MemoryGuard guard(memory_);
    if (space()->changes() != space_changes_)
        follow_memory();
    if (!control_.running())
        return;
    const bool tell = control_.serve(memory_, accepted_, datapath_.filter(), [this](unsigned pairs) {
        if (pairs == 0 || pairs > datapath_.pairs())
            return false;
        datapath_.run(pairs);
        return true;
    });
    if (control_.broken())
        needs_reset();
    if (tell)
        interrupt(queues_[index].vector, 1);
}

/// §4.1.5.1, §4.1.5.3: a vector, or INTx when there is none.
void SoftNic::interrupt(std::uint16_t vector, std::uint8_t cause) noexcept {
    if (vector != 0xffff && inner().lines().fire(Irq::msix, vector))
        return;
    isr_.fetch_or(cause);
    inner().lines().fire(Irq::intx, 0);
}

std::vector<device::Statistic> SoftNic::statistics() const {
    auto all = datapath_.statistics();
    for (auto& each : backend_->statistics())
        all.push_back(std::move(each));
    return all;
}

} // namespace sluice::inline v1::model
