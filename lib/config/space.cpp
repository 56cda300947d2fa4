// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/space.hpp>

#include <bit>
#include <cerrno>

#include "merge.hpp"

namespace sluice::inline v1::config {

Result<Space> Space::create(Backend& backend, Effects& effects, const Facts& facts, Policy policy) {
    auto state = std::make_unique_for_overwrite<State>(); // which fills what has a size, once that is known
    state->backend = &backend;
    state->effects = &effects;
    state->facts = facts;
    state->facts.no_command_memory |= facts.is_vf;
    state->policy = policy;
    state->rules = rules_of(policy);
    if (auto built = state->build(); !built)
        return propagate<void>(std::move(built));
    state->power_state = effects.power().value_or(PowerState::d0);
    return Space(std::move(state));
}

Space::Space(std::unique_ptr<State> state) noexcept
    : state_(std::move(state)) {}
Space::Space(Space&&) noexcept = default;
Space& Space::operator=(Space&&) noexcept = default;
Space::~Space() = default;

std::uint32_t Space::size() const noexcept {
    return state_->size;
}
Policy Space::policy() const noexcept {
    return state_->policy;
}
RuleSet Space::rules() const noexcept {
    return state_->rules;
}

namespace {

constexpr const char* outside = "the access does not lie inside configuration space";

}

Result<void> Space::read(std::uint32_t offset, std::span<std::byte> data) {
    State& state = *state_;
    if (data.empty())
        return {};
    if (offset >= state.size || data.size() > state.size - offset)
        return fail(EFAULT, outside);
    while (!data.empty()) {
        const unsigned width = state.piece(offset, data.size());
        auto value = state.read_piece(offset, width);
        if (!value)
            return propagate<std::uint32_t>(std::move(value));
        std::uint8_t bytes[4];
        store(bytes, width, *value);
        std::memcpy(data.data(), bytes, width);
        data = data.subspan(width);
        offset += width;
    }
    return {};
}

Result<void> Space::write(std::uint32_t offset, std::span<const std::byte> data) {
    State& state = *state_;
    if (data.empty())
        return {};
    if (offset >= state.size || data.size() > state.size - offset)
        return fail(EFAULT, outside);
    while (!data.empty()) {
        const unsigned width = state.piece(offset, data.size());
        std::uint8_t bytes[4] = {};
        std::memcpy(bytes, data.data(), width);
        if (auto written = state.write_piece(offset, width, load(bytes, width)); !written)
            return written;
        data = data.subspan(width);
        offset += width;
    }
    return {};
}

namespace {

/// Piece by piece, for bytes that have several owners or are not aligned.
template <typename T>
[[gnu::noinline]] Result<T> read_pieces(Space& space, std::uint32_t offset) {
    std::uint8_t bytes[sizeof(T)];
    if (auto done = space.read(offset, std::as_writable_bytes(std::span(bytes))); !done)
        return propagate<void>(std::move(done));
    return static_cast<T>(load(bytes, sizeof(T)));
}

template <typename T>
[[gnu::noinline]] Result<void> write_pieces(Space& space, std::uint32_t offset, T value) {
    std::uint8_t bytes[sizeof(T)];
    store(bytes, sizeof(T), value);
    return space.write(offset, std::as_bytes(std::span(bytes)));
}

template <typename T>
bool is_one_piece(const Space::State& state, std::uint32_t offset) {
    return offset < state.size && offset % sizeof(T) == 0 &&
           state.byte_rules.data()[offset].together >= sizeof(T);
}

/// One piece if the bytes have one owner, which they nearly always have.
template <typename T>
Result<T> read_as(Space& space, Space::State& state, std::uint32_t offset) {
    if (!is_one_piece<T>(state, offset)) [[unlikely]]
        return read_pieces<T>(space, offset);
    if constexpr (sizeof(T) == 4) {
        const ReadKind kind = state.byte_rules.data()[offset].read;
        const bool plain_header =
            kind == ReadKind::header && !state.bars_dirty && !state.facts.no_command_memory;
        if (kind == ReadKind::merge || plain_header)
            return merge_read<4>(state, offset);
        return state.read_piece(offset, 4);
    } else {
        auto value = state.read_piece(offset, sizeof(T));
        if (value)
            return static_cast<T>(*value);
        return propagate<std::uint32_t>(std::move(value));
    }
}

template <typename T>
Result<void> write_as(Space& space, Space::State& state, std::uint32_t offset, T value) {
    if (!is_one_piece<T>(state, offset)) [[unlikely]]
        return write_pieces<T>(space, offset, value);
    if (state.byte_rules.data()[offset].write == WriteKind::merge)
        return merge_write<sizeof(T)>(state, offset, value);
    return state.write_piece(offset, sizeof(T), value);
}

} // namespace

Result<std::uint8_t> Space::read8(std::uint32_t offset) {
    return read_as<std::uint8_t>(*this, *state_, offset);
}
Result<std::uint16_t> Space::read16(std::uint32_t offset) {
    return read_as<std::uint16_t>(*this, *state_, offset);
}
Result<std::uint32_t> Space::read32(std::uint32_t offset) {
    return read_as<std::uint32_t>(*this, *state_, offset);
}
Result<void> Space::write8(std::uint32_t offset, std::uint8_t value) {
    return write_as(*this, *state_, offset, value);
}
Result<void> Space::write16(std::uint32_t offset, std::uint16_t value) {
    return write_as(*this, *state_, offset, value);
}
Result<void> Space::write32(std::uint32_t offset, std::uint32_t value) {
    return write_as(*this, *state_, offset, value);
}

std::uint32_t Space::find_capability(std::uint8_t id, std::uint32_t after) {
    auto status = read16(header::status);
    if (!status || (*status & header::status_capability_list) == 0)
        return 0;
    auto pointer = read8(after == 0 ? header::capability_pointer : after + 1);
    for (unsigned step = 0; pointer && step < 48; ++step) {
        const std::uint32_t offset = *pointer & ~3U;
        if (offset < header::end)
            return 0;
        auto found = read8(offset);
        if (!found)
            return 0;
        if (*found == id)
            return offset;
        pointer = read8(offset + 1);
    }
    return 0;
}

std::uint32_t Space::find_extended_capability(std::uint16_t id, std::uint32_t after) {
    if (size() <= conventional_size || !state_->extended)
        return 0;
    std::uint32_t offset = conventional_size;
    if (after != 0) {
        auto head = read32(after & ~3U);
        offset = head ? *head >> 20 & 0xffc : 0;
    }
    for (unsigned step = 0; offset >= conventional_size && step < 960; ++step) {
        auto head = read32(offset);
        if (!head)
            return 0;
        if ((*head & 0xffff) == id && *head != 0)
            return offset;
        offset = *head >> 20 & 0xffc;
    }
    return 0;
}

namespace {

Result<void> change_command(Space& space, std::uint16_t bits, bool on) {
    auto command = space.read16(header::command);
    if (!command)
        return propagate<std::uint16_t>(std::move(command));
    const auto wanted = static_cast<std::uint16_t>(on ? *command | bits : *command & ~bits);
    return wanted == *command ? Result<void>{} : space.write16(header::command, wanted);
}

} // namespace

Result<void> Space::set_bus_master(bool on) {
    return change_command(*this, header::command_master, on);
}
Result<void> Space::set_memory_decoding(bool on) {
    return change_command(*this, header::command_memory, on);
}
Result<void> Space::set_intx_disabled(bool on) {
    return change_command(*this, header::command_intx_disable, on);
}

Result<void> Space::request_reset() {
    constexpr std::uint32_t express_has_reset = 1U << 28;
    constexpr std::uint16_t express_reset = 0x8000;
    constexpr std::uint8_t features_have_reset = 0x3;
    if (const std::uint32_t express = find_capability(standard_id::express); express != 0) {
        auto capabilities = read32(express + 4);
        auto control = read16(express + 8);
        if (capabilities && control && (*capabilities & express_has_reset) != 0)
            return write16(express + 8, static_cast<std::uint16_t>(*control | express_reset));
    }
    if (const std::uint32_t features = find_capability(standard_id::advanced_features); features != 0) {
        auto capabilities = read8(features + 3);
        if (capabilities && (*capabilities & features_have_reset) == features_have_reset)
            return write8(features + 4, 1);
    }
    return fail(ENOTSUP, "the function has no function-level reset: reset the device through its transport");
}

bool Space::memory_enabled() const noexcept {
    return state_->power() < PowerState::d3hot &&
           (state_->facts.no_command_memory ||
            (state_->shadow_get(header::command, 2) & header::command_memory) != 0);
}
PowerState Space::power() const noexcept {
    return state_->power();
}
bool Space::extended_capabilities() const noexcept {
    return state_->extended;
}

void Space::set_irq_type(IrqType type) noexcept {
    state_->irq_type = type;
}
void Space::set_msi_vectors(unsigned count) noexcept {
    state_->msi_limit = count > 1 ? static_cast<unsigned>(std::bit_width(count - 1)) : 0;
}

Space::Status Space::status() const noexcept {
    return {state_->intx_disabled, state_->bars_dirty, state_->irq_type, state_->msi_limit};
}

std::span<const std::uint8_t> Space::owners() const noexcept {
    return std::span(state_->owner).first(state_->size);
}

BitAccess Space::access(std::uint32_t offset) const noexcept {
    if (offset >= state_->size)
        return {};
    const ByteRule& rule = state_->byte_rules[offset];
    BitAccess access{state_->virt[offset],
                     static_cast<std::uint8_t>(state_->kept[offset] | state_->passed[offset])};
    if (rule.read == ReadKind::shadow || rule.read == ReadKind::placeholder || rule.read == ReadKind::zero)
        access.virt = 0xff;
    if (rule.write == WriteKind::raw || rule.write == WriteKind::shadow)
        access.write = 0xff;
    else if (rule.write == WriteKind::none)
        access.write = 0;
    return access;
}

std::span<const std::uint8_t> Space::shadow() const noexcept {
    return std::span(state_->shadow).first(state_->size);
}
std::span<const std::uint32_t, 7> Space::saved_bars() const noexcept {
    return state_->saved_bars;
}
std::span<const Diagnostic> Space::diagnostics() const noexcept {
    return state_->diagnostics;
}

std::vector<std::uint8_t> Space::compile_floor_mask() const {
    std::vector<std::uint8_t> mask(state_->size);
    for (std::uint32_t offset = 0; offset < state_->size; ++offset) {
        const WriteKind write = state_->byte_rules[offset].write;
        if (write == WriteKind::raw)
            mask[offset] = 0xff;
        else if (write != WriteKind::none && write != WriteKind::shadow)
            mask[offset] = state_->passed[offset];
    }
    return mask;
}

Result<void> Space::assign(std::uint32_t offset, std::uint32_t length, std::uint8_t owner) {
    State& state = *state_;
    if (offset > state.size || length > state.size - offset)
        return fail(EFAULT, outside);
    state.touch(offset, length);
    for (std::uint32_t byte = offset; byte < offset + length; ++byte) {
        state.owner[byte] = owner;
        if (state.policy == Policy::strict) {
            const bool own = owner == owner_virtual;
            state.byte_rules[byte] = {owner, static_cast<std::uint16_t>(byte),
                                      own ? ReadKind::shadow : ReadKind::raw,
                                      own ? WriteKind::shadow : WriteKind::none, 1};
            state.set_masks(byte, {});
        }
    }
    if (state.policy != Policy::strict)
        state.flatten_by_owner();
    state.join_bytes();
    if (owner != owner_virtual)
        return {};
    return state.fill(offset, length);
}

} // namespace sluice::inline v1::config
