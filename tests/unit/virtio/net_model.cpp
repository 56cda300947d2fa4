// SPDX-License-Identifier: BSD-3-Clause
#include "net_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <gtest/gtest.h>

namespace virtio_test {

namespace {

// Where the structures are.
constexpr std::uint64_t common_at = 0x000;
constexpr std::uint64_t isr_at = 0x100;
constexpr std::uint64_t config_at = 0x200;
constexpr std::uint64_t notify_at = 0x1000;
constexpr std::uint32_t notify_multiplier = 4;
constexpr auto registers_bar = device::Region::bar4;
constexpr auto doorbells_bar = device::Region::bar2;

/// The model and its device in one object, so that both end at once.
class Owned final : public device::Device {
  public:
    Owned(std::unique_ptr<NetModel> model, std::unique_ptr<device::inproc::Model> inner)
        : Device(inner->identity(), inner->space())
        , model_(std::move(model))
        , inner_(std::move(inner)) {}

    const device::RegionInfo& region(device::Region region) const noexcept override {
        return inner_->region(region);
    }
    using Device::map;
    Result<Mapping> map(device::Region region, std::uint64_t offset, std::size_t size) override {
        return inner_->map(region, offset, size);
    }
    Result<> read(device::Region region, std::uint64_t offset, std::span<std::byte> bytes) override {
        return inner_->read(region, offset, bytes);
    }
    Result<> write(device::Region region, std::uint64_t offset, std::span<const std::byte> bytes) override {
        return inner_->write(region, offset, bytes);
    }
    config::Space& config() noexcept override { return inner_->config(); }
    device::Interrupts& interrupts() noexcept override { return inner_->interrupts(); }
    Result<> reset() override { return inner_->reset(); }

  private:
    std::unique_ptr<NetModel> model_;
    std::unique_ptr<device::inproc::Model> inner_;
};

template <typename T>
T load(const std::byte* at) {
    T value;
    std::memcpy(static_cast<void*>(&value), at, sizeof value);
    return value;
}
template <typename T>
void store(std::byte* at, const T& value) {
    std::memcpy(at, static_cast<const void*>(&value), sizeof value);
}

void set_half(std::uint64_t& whole, bool high, std::uint64_t half) {
    whole = high ? (whole & 0xffffffffU) | half << 32 : (whole & ~std::uint64_t{0xffffffffU}) | half;
}

} // namespace

ModelOptions ModelOptions::full() {
    ModelOptions options;
    for (const Feature feature : {Feature::version_1, Feature::access_platform, Feature::mac, Feature::mtu,
                                  Feature::status, Feature::mrg_rxbuf, Feature::ctrl_vq, Feature::ctrl_rx,
                                  Feature::ctrl_mac_addr, Feature::speed_duplex})
        options.features.add(feature);
    return options;
}

ModelOptions ModelOptions::with(Feature feature) const {
    ModelOptions options = *this;
    options.features.add(feature);
    return options;
}

ModelOptions ModelOptions::without(Feature feature) const {
    ModelOptions options = *this;
    options.features.remove(feature);
    return options;
}

Bytes Chain::bytes() const {
    Bytes all;
    for (const Part& part : parts)
        if (!part.device_writes)
            all.insert(all.end(), part.memory.begin(), part.memory.end());
    return all;
}

NetModel::NetModel(const ModelOptions& options)
    : options_(options) {
    const std::uint8_t mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    std::memcpy(net_config_.data(), mac, sizeof mac);
    store(&net_config_[6], le16(1));
    store(&net_config_[8], le16(options.pairs));
    store(&net_config_[10], le16(options.mtu));
    store(&net_config_[12], le32(10000));
    net_config_[16] = std::byte{1};
    reset();
}

NetModel& NetModel::create(const ModelOptions& options, std::unique_ptr<device::Device>& device) {
    std::unique_ptr<NetModel> model(new NetModel(options));
    NetModel& self = *model;
    device::inproc::ModelSetup setup;
    setup.identity.name = "model";
    setup.identity.vendor = 0x1af4;
    setup.identity.device = 0x1041;
    setup.regions.push_back(
        {.region = registers_bar,
         .size = 0x4000,
         .on_read = [&self](auto offset, auto width) { return self.read(offset, width); },
         .on_write = [&self](auto offset, auto width, auto value) { self.write(offset, width, value); }});
    if (options.mapped_doorbells)
        setup.regions.push_back({.region = doorbells_bar, .size = 0x1000, .mappable = {{0, 0x1000}}});
    setup.vectors[static_cast<std::size_t>(device::Irq::msix)] = options.vectors;
    setup.vectors[static_cast<std::size_t>(device::Irq::error)] = 1;
    setup.vectors[static_cast<std::size_t>(device::Irq::request)] = 1;
    setup.on_reset = [&self]() -> Result<> {
        self.finish_resets_ = true;
        self.reset();
        return {};
    };
    setup.config = [&self, &options](device::inproc::ConfigImage& image) {
        self.add_capability(image, 1, 4, common_at, 0x38);
        self.add_capability(image, 3, 4, isr_at, 1);
        self.add_capability(image, 4, 4, config_at, sizeof self.net_config_);
        if (options.mapped_doorbells)
            self.add_capability(image, 2, 2, 0, 0x1000, true);
        else
            self.add_capability(image, 2, 4, notify_at, 0x1000, true);
    };
    auto inner = device::inproc::Model::create(std::move(setup));
    if (!inner) {
        ADD_FAILURE() << inner.error().message();
        std::abort();
    }
    self.device_ = inner->get();
    device = std::make_unique<Owned>(std::move(model), std::move(*inner));
    return self;
}

void NetModel::add_capability(device::inproc::ConfigImage& image, std::uint8_t type, std::uint8_t bar,
                              std::uint32_t offset, std::uint32_t length, bool notify) {
    std::array<std::uint8_t, 18> body{};
    const std::size_t size = notify ? 18 : 14;
    body[0] = static_cast<std::uint8_t>(size + 2);
    body[1] = type;
    body[2] = bar;
    const le32 place[] = {le32(offset), le32(length), le32(notify_multiplier)};
    std::memcpy(body.data() + 6, static_cast<const void*>(place), notify ? 12 : 8);
    ASSERT_NE(image.add_capability(9, std::span(body).first(size)), 0U);
}

void NetModel::reset() {
    status_ = 0;
    accepted_ = 0;
    config_vector_ = 0xffff;
    queues_.assign(2U * options_.pairs + 1, {});
    for (QueueState& queue : queues_)
        queue.size = options_.queue_size;
}

std::span<std::byte> NetModel::memory(std::uint64_t iova, std::size_t size) const {
    const auto found = device_->dma(Iova{iova}, size, device::DmaAccess::read_write);
    EXPECT_EQ(found.size(), size) << "the device was given an address that is not mapped: " << std::hex
                                  << iova;
    if (found.size() != size)
        std::abort();
    return found;
}

std::uint64_t NetModel::read(std::uint64_t offset, unsigned width) {
    if (reads_left_ && (*reads_left_)-- == 0) {
        gone_ = true;
        reads_left_.reset();
    }
    if (gone_)
        return ~std::uint64_t{0};
    if (offset < isr_at)
        return read_common(offset);
    if (offset >= config_at && offset + width <= config_at + net_config_.size()) {
        le64 value = 0;
        std::memcpy(static_cast<void*>(&value), &net_config_[offset - config_at], width);
        return value;
    }
    return 0;
}

std::uint64_t NetModel::read_common(std::uint64_t offset) {
    const bool there = queue_select_ < queues_.size();
    const QueueState queue = there ? queues_[queue_select_] : QueueState{};
    switch (offset) {
    case 0x04:
        return offered_select_ < 2 ? options_.features.bits() >> (32 * offered_select_) & 0xffffffffU : 0;
    case 0x10:
        return config_vector_;
    case 0x12:
        return queues_.size();
    case 0x14:
        return status_;
    case 0x15:
        return generation_;
    case 0x18:
        return queue.size;
    case 0x1a:
        return queue.vector;
    case 0x1c:
        return queue.enable;
    case 0x1e:
        return queue_select_;
    default:
        return 0;
    }
}

void NetModel::write(std::uint64_t offset, unsigned, std::uint64_t value) {
    if (gone_)
        return;
    if (offset < isr_at) {
        writes_.emplace_back(offset, value);
        write_common(offset, value);
    } else if (offset >= notify_at) {
        EXPECT_EQ((offset - notify_at) / notify_multiplier, value);
        ring(static_cast<std::uint16_t>(value));
    }
}

void NetModel::write_common(std::uint64_t offset, std::uint64_t value) {
    QueueState ignored;
    QueueState& queue = queue_select_ < queues_.size() ? queues_[queue_select_] : ignored;
    const auto word = static_cast<std::uint16_t>(value);
    switch (offset) {
    case 0x00:
        offered_select_ = static_cast<std::uint32_t>(value);
        break;
    case 0x08:
        accepted_select_ = static_cast<std::uint32_t>(value);
        break;
    case 0x0c:
        if (accepted_select_ < 2)
            set_half(accepted_, accepted_select_ == 1, value);
        break;
    case 0x10:
        config_vector_ = word < options_.vectors ? word : 0xffff;
        break;
    case 0x14:
        if (value == 0) {
            if (finish_resets_)
                reset();
            break;
        }
        status_ = static_cast<std::uint8_t>(value);
        if (refuse_features_)
            status_ &= 0xf7;
        break;
    case 0x16:
        queue_select_ = word;
        break;
    case 0x18:
        queue.size = word;
        break;
    case 0x1a:
        queue.vector = word < options_.vectors ? word : 0xffff;
        break;
    case 0x1c:
        queue.enable = word;
        break;
    case 0x20:
    case 0x24:
        set_half(queue.desc, offset == 0x24, value);
        break;
    case 0x28:
    case 0x2c:
        set_half(queue.driver, offset == 0x2c, value);
        break;
    case 0x30:
    case 0x34:
        set_half(queue.device, offset == 0x34, value);
        break;
    default:
        break;
    }
}

unsigned NetModel::control_queue() const {
    return virtio::Features(accepted_).has(Feature::mq) ? 2U * options_.pairs : 2U;
}

void NetModel::ring(std::uint16_t queue) {
    ASSERT_LT(queue, queues_.size());
    EXPECT_TRUE(running()) << "a doorbell before the device was live";
    ++queues_[queue].doorbells;
    if (virtio::Features(accepted_).has(Feature::ctrl_vq) && queue == control_queue() && answer_)
        serve_commands();
}

void NetModel::serve_commands() {
    const unsigned queue = control_queue();
    while (auto chain = take(queue)) {
        const Bytes all = chain->bytes();
        ASSERT_GE(all.size(), 2U);
        ASSERT_TRUE(chain->parts.back().device_writes);
        commands_.push_back({std::to_integer<std::uint8_t>(all[0]), std::to_integer<std::uint8_t>(all[1]),
                             Bytes(all.begin() + 2, all.end())});
        chain->parts.back().memory[0] = std::byte{*answer_};
        use(queue, chain->id, 1);
    }
}

bool NetModel::packed() const {
    return virtio::Features(accepted_).has(Feature::ring_packed);
}

virtio::PackedDesc NetModel::packed_desc(const QueueState& queue, std::uint16_t position) const {
    return load<virtio::PackedDesc>(memory(queue.desc + 16ULL * (position % queue.size), 16).data());
}

/// §2.8.1: the flag is as the lap says, the other one is not.
bool NetModel::is_available(const QueueState& queue, std::uint16_t position) const {
    using virtio::PackedDesc;
    const std::uint16_t flags = packed_desc(queue, position).flags;
    const bool wrap = position / queue.size % 2 == 0;
    return ((flags & PackedDesc::flag_avail) != 0) == wrap && ((flags & PackedDesc::flag_used) != 0) != wrap;
}

unsigned NetModel::available(unsigned queue) const {
    const QueueState& state = queues_[queue];
    if (state.enable == 0)
        return 0;
    if (packed()) {
        unsigned count = 0;
        while (count < state.size && is_available(state, static_cast<std::uint16_t>(state.taken + count)))
            ++count;
        return count;
    }
    const auto idx = load<le16>(memory(state.driver + 2, 2).data());
    return static_cast<std::uint16_t>(idx - state.taken);
}

std::optional<Chain> NetModel::take(unsigned queue) {
    QueueState& state = queues_[queue];
    const bool any = packed() ? state.enable != 0 && is_available(state, state.taken) : available(queue) != 0;
    if (!any)
        return std::nullopt;
    return packed() ? take_packed(state) : take_split(state);
}

std::optional<Chain> NetModel::take_split(QueueState& state) {
    Chain chain;
    const unsigned entry = state.taken++ % state.size;
    chain.id = load<le16>(memory(state.driver + 4 + 2ULL * entry, 2).data());
    std::uint16_t at = chain.id;
    for (unsigned left = state.size; left != 0; --left) {
        EXPECT_LT(at, state.size);
        const auto desc = load<virtio::Desc>(memory(state.desc + 16ULL * at, 16).data());
        EXPECT_NE(desc.len, 0U) << "an empty buffer";
        chain.parts.push_back({memory(desc.addr, desc.len), (desc.flags & virtio::Desc::flag_write) != 0});
        if ((desc.flags & virtio::Desc::flag_next) == 0)
            return chain;
        at = desc.next;
    }
    ADD_FAILURE() << "a chain that does not end";
    return std::nullopt;
}

std::optional<Chain> NetModel::take_packed(QueueState& state) {
    Chain chain;
    for (unsigned left = state.size; left != 0; --left) {
        EXPECT_TRUE(is_available(state, state.taken));
        const auto desc = packed_desc(state, state.taken++);
        EXPECT_NE(desc.len, 0U) << "an empty buffer";
        chain.parts.push_back(
            {memory(desc.addr, desc.len), (desc.flags & virtio::PackedDesc::flag_write) != 0});
        if ((desc.flags & virtio::PackedDesc::flag_next) != 0)
            continue;
        chain.id = desc.id;
        EXPECT_LT(chain.id, state.size);
        state.spans.resize(state.size);
        state.spans[chain.id] = static_cast<std::uint16_t>(chain.parts.size());
        return chain;
    }
    ADD_FAILURE() << "a chain that does not end";
    return std::nullopt;
}

void NetModel::use(unsigned queue, std::uint32_t id, std::uint32_t length) {
    QueueState& state = queues_[queue];
    if (!packed()) {
        const unsigned entry = state.used % state.size;
        store(memory(state.device + 4 + 8ULL * entry, 8).data(), virtio::UsedElem{id, length});
        add_to_used_index(queue, 1);
        return;
    }
    const auto word = static_cast<std::uint16_t>(id);
    const std::uint16_t span = word < state.spans.size() ? state.spans[word] : std::uint16_t{1};
    write_used(queue, word, length);
    // A lie about the id does not make the device pass what it has.
    const auto has = static_cast<std::uint16_t>(state.taken - state.used);
    state.used = static_cast<std::uint16_t>(
        state.used + std::clamp<std::uint16_t>(span, 1, std::max<std::uint16_t>(has, 1)));
}

void NetModel::write_used(unsigned queue, std::uint16_t id, std::uint32_t length) {
    using virtio::PackedDesc;
    const QueueState& state = queues_[queue];
    auto desc = packed_desc(state, state.used);
    desc.id = id;
    desc.len = length;
    const bool wrap = state.used / state.size % 2 == 0;
    desc.flags =
        wrap ? static_cast<std::uint16_t>(PackedDesc::flag_avail | PackedDesc::flag_used) : std::uint16_t{0};
    store(memory(state.desc + 16ULL * (state.used % state.size), 16).data(), desc);
}

void NetModel::use_batch(unsigned queue, std::uint16_t first, std::uint16_t last, std::uint16_t frames,
                         std::uint32_t length) {
    QueueState& state = queues_[queue];
    if (!packed()) {
        store(memory(state.device + 4 + 8ULL * (state.used % state.size), 8).data(),
              virtio::UsedElem{last, length});
        add_to_used_index(queue, frames);
        return;
    }
    write_used(queue, last, length);
    for (std::uint16_t id = first;; id = static_cast<std::uint16_t>((id + 1) % state.size)) {
        state.used = static_cast<std::uint16_t>(state.used + state.spans[id]);
        state.spans[id] = 0; // what begins no frame counts for nothing the next time
        if (id == last)
            return;
    }
}

void NetModel::add_to_used_index(unsigned queue, std::uint16_t by) {
    QueueState& state = queues_[queue];
    if (packed()) {
        for (unsigned i = 0; i < by && i < state.size; ++i, ++state.used) {
            const auto desc = packed_desc(state, state.used);
            write_used(queue, desc.id, desc.len);
        }
        return;
    }
    state.used = static_cast<std::uint16_t>(state.used + by);
    store(memory(state.device + 2, 2).data(), le16(state.used));
}

void NetModel::want_doorbells(unsigned queue, bool wanted) {
    store(memory(queues_[queue].device + (packed() ? 2U : 0U), 2).data(),
          le16(wanted ? std::uint16_t{0} : std::uint16_t{1}));
}

bool NetModel::interrupt(unsigned queue) {
    const auto flags = load<le16>(memory(queues_[queue].driver + (packed() ? 2U : 0U), 2).data());
    if ((flags & 1) != 0 || queues_[queue].vector == 0xffff)
        return false;
    return device_->lines().fire(device::Irq::msix, queues_[queue].vector);
}

bool NetModel::deliver(std::span<const std::byte> frame, unsigned pair) {
    const unsigned queue = 2 * pair;
    std::vector<std::pair<std::uint16_t, std::uint32_t>> used;
    virtio::NetHeader* header = nullptr;
    std::size_t done = 0;
    const bool mergeable = virtio::Features(accepted_).has(Feature::mrg_rxbuf);
    do {
        auto chain = take(queue);
        if (!chain)
            return false;
        EXPECT_EQ(chain->parts.size(), 1U);
        EXPECT_TRUE(chain->parts[0].device_writes);
        std::span<std::byte> room = chain->parts[0].memory;
        std::uint32_t length = 0;
        if (header == nullptr) {
            header = reinterpret_cast<virtio::NetHeader*>(room.data());
            std::memset(static_cast<void*>(header), 0, sizeof *header);
            length = sizeof *header;
            room = room.subspan(length);
        }
        const std::size_t part = std::min(room.size(), frame.size() - done);
        std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(done), part, room.begin());
        done += part;
        used.emplace_back(chain->id, length + static_cast<std::uint32_t>(part));
    } while (mergeable && done < frame.size());
    header->num_buffers = static_cast<std::uint16_t>(used.size());
    for (const auto& [id, length] : used)
        use(queue, id, length);
    return true;
}

std::vector<SentFrame> NetModel::sent(unsigned pair, bool complete) {
    const unsigned queue = 2 * pair + 1;
    std::vector<SentFrame> frames;
    while (auto chain = take(queue)) {
        SentFrame frame;
        const Bytes all = chain->bytes();
        EXPECT_GT(all.size(), sizeof frame.header);
        std::memcpy(static_cast<void*>(&frame.header), all.data(), sizeof frame.header);
        frame.bytes.assign(all.begin() + sizeof frame.header, all.end());
        const auto& first = chain->parts[0].memory;
        frame.data = first.size() > sizeof frame.header ? first.data() + sizeof frame.header
                                                        : chain->parts[1].memory.data();
        frame.descriptors = chain->parts.size();
        frame.id = chain->id;
        for (const auto& part : chain->parts)
            EXPECT_FALSE(part.device_writes);
        frames.push_back(std::move(frame));
        if (complete)
            use(queue, chain->id, 0);
    }
    return frames;
}

void NetModel::set_link(bool up) {
    store(&net_config_[6], le16(up ? std::uint16_t{1} : std::uint16_t{0}));
    ++generation_;
    if (config_vector_ != 0xffff)
        device_->lines().fire(device::Irq::msix, config_vector_);
}

} // namespace virtio_test
