// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the fuzzer puts around the permission engine: the input as numbers, hardware that judges every
/// access, and effects of each kind.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include <sluice/config/effects.hpp>
#include <sluice/config/space.hpp>

namespace sluice::fuzz {

/// Ends the run with a report if what must hold does not.
inline void must(bool holds, const char* what, std::uint32_t offset = 0) {
    if (holds) [[likely]]
        return;
    std::fprintf(stderr, "config_fuzz: %s (%03x)\n", what, offset);
    std::abort();
}

/// Takes numbers from the input; zeros once it has ended.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size)
        : data_(data)
        , size_(size) {}

    std::uint8_t byte() {
        if (size_ == 0)
            return 0;
        --size_;
        return *data_++;
    }
    std::uint32_t word() {
        const std::uint32_t low = byte();
        return low | std::uint32_t{byte()} << 8;
    }
    bool empty() const { return size_ == 0; }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
};

/// Plain bytes. Accesses that the engine must not make end the run.
class Hardware final : public config::Backend {
  public:
    void begin(std::uint32_t size, bool strict) {
        std::memset(bytes_.data(), 0, size);
        state_ = {};
        state_.size = size;
        state_.strict = strict;
    }
    void mediated_by(const config::Space& space) { state_.space = &space; }
    /// Which writes beside the user's there are: registers passed for their effect, or BARs written back.
    void expect_effects(bool passed, bool restored) {
        state_.passed = passed;
        state_.restored = passed || restored;
    }
    void fail_at(std::uint32_t offset, std::uint32_t length, bool reads, bool writes) {
        state_.fault_begin = offset;
        state_.fault_end = offset + length;
        state_.fail_reads = reads;
        state_.fail_writes = writes;
    }
    std::span<std::uint8_t> bytes() { return std::span(bytes_).first(state_.size); }
    /// Reads from now on that succeed. The kernel walks a list that loops 960 times, of capabilities of any
    /// length.
    void allow_reads(unsigned count) { state_.last_read = state_.reads + count; }
    unsigned touched() const { return state_.reads + state_.writes; }
    unsigned written() const { return state_.writes; }

    bool has_msi() const {
        for (const std::uint8_t id : state_.space->owners().first(config::conventional_size))
            if (id == 0x05)
                return true;
        return false;
    }

    /// The kernel passes all of a vendor's capability, and reads its header from the shadow.
    bool is_raw_vendor(std::uint32_t offset) const {
        const std::uint8_t id = owner(offset);
        return !state_.strict && (offset < config::conventional_size ? id == 0x09 : id == 0x0b || id == 0x23);
    }

    std::uint32_t size() const noexcept override { return state_.size; }

    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        judge(offset, width);
        if (state_.reads++ >= state_.last_read)
            return fail(EIO, "too many reads");
        if (state_.fail_reads && offset < state_.fault_end && offset + width > state_.fault_begin)
            return fail(EIO, "told to fail");
        return get(offset, width);
    }

    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        judge(offset, width);
        ++state_.writes;
        must(width == 4 || value >> (8 * width) == 0, "a value wider than the access");
        if (state_.space != nullptr)
            judge_bits(offset, width, value);
        if (state_.fail_writes && offset < state_.fault_end && offset + width > state_.fault_begin)
            return fail(EIO, "told to fail");
        put(offset, width, value);
        return {};
    }

    /// Without judgement: what the platform around the engine does.
    std::uint32_t get(std::uint32_t offset, unsigned width) const {
        std::uint32_t value = 0;
        std::memcpy(&value, &bytes_[offset], width);
        return value;
    }
    void put(std::uint32_t offset, unsigned width, std::uint32_t value) {
        std::memcpy(&bytes_[offset], &value, width);
    }

  private:
    struct State {
        std::uint32_t size = config::conventional_size;
        const config::Space* space = nullptr;
        bool strict = false;
        bool passed = false;
        bool restored = false;
        bool fail_reads = false;
        bool fail_writes = false;
        std::uint32_t fault_begin = 0;
        std::uint32_t fault_end = 0;
        unsigned reads = 0;
        unsigned last_read = ~0U;
        unsigned writes = 0;
    };
    void judge(std::uint32_t offset, unsigned width) const {
        must(width == 1 || width == 2 || width == 4, "an access of no width that there is");
        must(offset % width == 0, "a misaligned access to hardware");
        must(offset < state_.size && width <= state_.size - offset, "an access to hardware outside");
    }

    /// Bits may change only where the mask for the floor lets them.
    void judge_bits(std::uint32_t offset, unsigned width, std::uint32_t value) const {
        const std::uint32_t changed = value ^ get(offset, width);
        if (changed == 0)
            return;
        for (unsigned index = 0; index < width; ++index) {
            const config::BitAccess access = state_.space->access(offset + index);
            std::uint32_t wrong =
                changed >> (8 * index) & 0xff & ~(unsigned{access.write} & ~unsigned{access.virt});
            if (wrong == 0 || is_raw_vendor(offset + index))
                continue;
            // strict writes a zero where a one would clear what its user did not touch
            if (state_.strict && has_clears(offset + index))
                wrong &= value >> (8 * index) & 0xff;
            must(wrong == 0 || is_effect(offset + index), "a write carries a bit past the mask for the floor",
                 offset + index);
        }
    }

    std::uint8_t owner(std::uint32_t offset) const { return state_.space->owners()[offset]; }

    bool has_clears(std::uint32_t offset) const {
        if (offset >= config::conventional_size)
            return owner(offset) == 0x01; // AER
        return owner(offset) == 0x00 || owner(offset) == 0x01 || owner(offset) == 0x10;
    }

    bool is_effect(std::uint32_t offset) const {
        if (state_.restored &&
            (offset == 0x05 || (offset >= 0x10 && offset < 0x28) || (offset >= 0x30 && offset < 0x34)))
            return true;
        // the kernel sends MSI's flags on as they stand in the shadow, wherever a second one's table lies
        if (!state_.strict && offset < config::extended_size && has_msi())
            return true;
        if (!state_.passed)
            return false;
        // under the kernel policies another capability may have taken the bytes of the register that is
        // passed
        if (!state_.strict)
            return true;
        const std::uint8_t id = owner(offset);
        return offset == 0x05 || id == 0x01 || id == 0x03 || id == 0x10 || id == 0x13;
    }

    std::array<std::uint8_t, config::extended_size> bytes_{};
    State state_;
};

/// The same bytes for the model of the kernel, which writes registers of its own accord.
class Platform final : public config::Backend {
  public:
    explicit Platform(Hardware& hardware)
        : hardware_(hardware) {}
    std::uint32_t size() const noexcept override { return hardware_.size(); }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        return offset < size() ? hardware_.get(offset, width) : 0xffffffffU >> (32 - 8 * width);
    }
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        if (offset < size())
            hardware_.put(offset, width, value);
        return {};
    }

  private:
    Hardware& hardware_;
};

/// Every effect with one outcome.
class Same : public config::Effects {
  public:
    Result<config::Disposition> reset(config::ResetKind) override { return outcome(); }
    Result<config::Disposition> set_power(config::PowerState) override { return outcome(); }
    Result<config::Disposition> set_intx_disabled(bool) override { return outcome(); }
    Result<config::Disposition> set_read_request(unsigned bytes) override {
        must(bytes >= 128 && bytes <= 16384 && (bytes & (bytes - 1)) == 0,
             "a read request of no size that there is");
        return outcome();
    }
    Result<config::Disposition> vpd_read(std::uint16_t address, std::span<std::uint8_t, 4>) override {
        must(address < 0x8000, "an address of vital product data with the flag in it");
        return outcome();
    }
    Result<config::Disposition> vpd_write(std::uint16_t address, std::span<const std::uint8_t, 4>) override {
        must(address < 0x8000, "an address of vital product data with the flag in it");
        return outcome();
    }
    Result<config::Disposition> restore_bars(std::span<const std::uint32_t, 7>) override { return outcome(); }

  protected:
    virtual Result<config::Disposition> outcome() = 0;
};

/// A transport that does it all.
class Done final : public Same {
    Result<config::Disposition> outcome() override { return config::Disposition::done; }
};

/// One that supports nothing, or fails.
class Failing final : public Same {
  public:
    explicit Failing(std::uint8_t choice)
        : fails_((choice & 0x08) != 0) {}

  private:
    Result<config::Disposition> outcome() override {
        if (fails_)
            return fail(EIO, "told to fail");
        return config::Disposition::unsupported;
    }
    bool fails_;
};

} // namespace sluice::fuzz
