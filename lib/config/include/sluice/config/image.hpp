// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Configuration space without a device: bytes with hardware's write behaviour, from memory or a file, and a
/// model of what the kernel around a device does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sluice/config/backend.hpp>
#include <sluice/config/effects.hpp>
#include <sluice/config/facts.hpp>
#include <sluice/config/recorder.hpp>

namespace sluice::inline v1::config {

/// Flat bytes as hardware. A write changes the bits of the write mask; then each bit of the
/// write-one-to-clear mask that was written as one is cleared. Reads have no effects.
class Image final : public Backend {
  public:
    /// 256 or 4096 zero bytes, all writable.
    explicit Image(std::uint32_t size = conventional_size);

    /// Reads a file of 256 or 4096 bytes (fewer than 4096 are taken as 256, fewer than 64 are refused).
    static Result<Image> load(const std::string& path);

    std::uint32_t size() const noexcept override { return size_; }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override;
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override;

    /// Takes another size; bytes that are new are zero.
    void resize(std::uint32_t size);

    /// The hardware's bytes and masks, 4096 of each whatever the size.
    std::span<std::uint8_t> bytes() noexcept { return bytes_; }
    std::span<std::uint8_t> write_mask() noexcept { return write_mask_; }
    std::span<std::uint8_t> clear_mask() noexcept { return clear_mask_; }

    /// Accesses that touch [offset, offset + length) fail with `code`, as fail_code() maps it. 0 ends it.
    void inject_errors(std::uint32_t offset, std::uint32_t length, int code, bool reads, bool writes);

    /// The errno (positive) for a raw status: PCI BIOS codes by their meaning, other positive ones ERANGE.
    static int fail_code(int status) noexcept;

  private:
    struct Fault {
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        int code = 0;
        bool reads = false;
        bool writes = false;
    };
    std::optional<int> fault(std::uint32_t offset, unsigned width, bool write) const noexcept;

    std::uint32_t size_;
    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint8_t> write_mask_;
    std::vector<std::uint8_t> clear_mask_;
    Fault fault_;
};

/// The operating system around a function, as the kernel behaves: power transitions, saved state, read
/// request, INTx masking and VPD, each reported to an Observer. Works on any Backend; borrows everything.
class SystemModel final : public Effects {
  public:
    struct Options {
        bool reset_supported = true;
        bool no_d3 = false;                   ///< a quirk: D3 is never entered
        bool read_request_to_payload = false; ///< the "performance" setting of the PCIe bus
        bool vfs_enabled = false;             ///< VFs of this function are in use
        std::optional<std::vector<std::uint8_t>> vpd;
    };

    SystemModel(Backend& hardware, const Facts& facts, Observer& observer, Options options);

    /// Reads what the kernel knows from its scan: D1 and D2 support, whether a return from D3hot resets.
    void scan();

    Result<Disposition> reset(ResetKind kind) override;
    Result<Disposition> set_power(PowerState state) override;
    std::optional<PowerState> power() const override { return power_; }
    Result<Disposition> set_intx_disabled(bool disabled) override;
    Result<Disposition> set_read_request(unsigned bytes) override;
    Result<Disposition> vpd_read(std::uint16_t address, std::span<std::uint8_t, 4> data) override;
    Result<Disposition> vpd_write(std::uint16_t address, std::span<const std::uint8_t, 4> data) override;
    void zap() override;
    Result<Disposition> restore_bars(std::span<const std::uint32_t, 7> bars) override;
    void report(const Diagnostic& diagnostic) override;

    Options& options() noexcept { return options_; }
    void set_power_now(PowerState state) noexcept { power_ = state; }
    void set_irq_type(IrqType type) noexcept;
    bool needs_pm_restore() const noexcept { return needs_pm_restore_; }

    /// Receives diagnostics as well, if set.
    void on_report(void (*function)(void*, const Diagnostic&), void* context) noexcept;

  private:
    int transition(PowerState state);
    int power_up();
    std::uint32_t read(std::uint32_t offset, unsigned width, std::uint32_t otherwise);
    void change_command(bool disable);
    bool unmask_delivered();

    Backend& hardware_;
    const Facts& facts_;
    Observer& observer_;
    Options options_;
    PowerState power_ = PowerState::d0;
    bool d1_ = false;
    bool d2_ = false;
    bool needs_pm_restore_ = false;
    IrqType irq_type_ = IrqType::none;
    bool intx_masked_ = false;
    bool intx_disabled_ = false;
    void (*report_)(void*, const Diagnostic&) = nullptr;
    void* report_context_ = nullptr;
};

} // namespace sluice::inline v1::config
