// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Which behaviour a Space has: a kernel's, or the strict one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice::inline v1::config {

/// `kernel_6_1` and `kernel_6_12` answer as vfio-pci of that Linux does, quirks included; `strict`, the
/// default everywhere, closes each quirk that weakens isolation or corrupts state by a named Rule.
enum class Policy : std::uint8_t { kernel_6_1, kernel_6_12, strict };

/// "kernel-6.1", "kernel-6.12", "strict".
std::string_view name(Policy policy) noexcept;
std::optional<Policy> parse_policy(std::string_view text) noexcept;

/// A departure of the strict policy from the kernel. doc/permissions-rules.md lists them.
enum class Rule : std::uint8_t {
    mask_pointers,
    stop_at_repeat,
    clamp_overrun,
    cut_at_next,
    unowned_read_only,
    hidden_read_zero,
    walk_without_express,
    absent_extended,
    separate_abutting,
    clean_placeholder,
    short_capability,
    express_length,
    express_own_flags,
    msi_flags,
    msi_own_masks,
    msi_no_forward,
    power_budget_select,
    keep_write_one_to_clear,
    bar_from_resource,
    restore_when_enabling,
    command_upper_byte,
    vendor_header,
    read_request_limit,
    count_
};

struct RuleText {
    Rule rule;
    std::string_view name;
    std::string_view reason; ///< what goes wrong without it
    std::string_view notice; ///< what an application may notice
};

/// Every rule, in the order of the enumeration.
std::span<const RuleText> rules() noexcept;

/// A set of rules.
class RuleSet {
  public:
    constexpr RuleSet() noexcept = default;
    static constexpr RuleSet all() noexcept {
        RuleSet set;
        set.bits_ = (1U << static_cast<unsigned>(Rule::count_)) - 1;
        return set;
    }
    constexpr bool has(Rule rule) const noexcept { return (bits_ >> static_cast<unsigned>(rule) & 1U) != 0; }

  private:
    std::uint32_t bits_ = 0;
};

/// All rules for `strict`, none for the kernels.
constexpr RuleSet rules_of(Policy policy) noexcept {
    return policy == Policy::strict ? RuleSet::all() : RuleSet();
}

} // namespace sluice::inline v1::config
