// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/policy.hpp>

#include <array>

namespace sluice::inline v1::config {

namespace {

constexpr std::array<std::string_view, 3> policy_names = {"kernel-6.1", "kernel-6.12", "strict"};

// The order of the enumeration; checked below.
constexpr RuleText rule_texts[] = {
    {Rule::mask_pointers, "mask-pointers",
     "the kernel follows pointers with their reserved bits and into the header, so that a broken list makes "
     "header bytes follow another capability's rules",
     "capabilities are found at multiples of four from 40h on; a pointer below ends the list"},
    {Rule::stop_at_repeat, "stop-at-repeat",
     "the kernel walks a list that loops until its step limit, and refilling the shadow undoes pointer edits",
     "a list that loops ends at the first capability seen twice"},
    {Rule::clamp_overrun, "clamp-overrun",
     "the kernel's maps are written past their end by a capability that claims more bytes than there are",
     "such a capability ends with its area (ffh or fffh) and is reported"},
    {Rule::cut_at_next, "cut-at-next",
     "capabilities that overlap take bytes from one another, and with them their masks",
     "a capability ends where the next one of the list begins, and is reported"},
    {Rule::unowned_read_only, "unowned-read-only",
     "bytes outside all visible capabilities, among them the bodies of hidden ones, are written raw",
     "writes outside visible capabilities are dropped"},
    {Rule::hidden_read_zero, "hidden-read-zero", "a hidden capability can be read and driven where it stands",
     "the bytes of a hidden capability read as zero"},
    {Rule::walk_without_express, "walk-without-express",
     "without an Express capability the kernel leaves all of extended space raw",
     "the extended list is walked wherever extended space exists"},
    {Rule::absent_extended, "absent-extended",
     "a virtual function whose extended space reads all ones is taken to have a list",
     "extended space that reads all ones has no capabilities and is read-only"},
    {Rule::separate_abutting, "separate-abutting",
     "two adjoining capabilities with one id are treated as one, so that the second's header is raw and "
     "its offsets run past the table",
     "each capability has its own header and its own table"},
    {Rule::clean_placeholder, "clean-placeholder",
     "what the user sees of a hidden first extended capability depends on the low byte of its id, and may be "
     "writable",
     "a hidden capability at 100h reads as id 0, version 0 and the next pointer, and is read-only"},
    {Rule::short_capability, "short-capability",
     "a length below that of the header leaves the capability's next pointer raw",
     "a capability owns at least its header (vendor-specific: its length too)"},
    {Rule::express_length, "express-length",
     "the 6.1 kernel counts a version 2 Express capability two bytes short and leaves Link Status 2 raw",
     "Link Status 2 is read-only"},
    {Rule::express_own_flags, "express-own-flags",
     "the length of every Express capability follows the flags of the first one",
     "each Express capability is as long as its own flags say"},
    {Rule::msi_flags, "msi-flags",
     "all of MSI Message Control's low byte can be rewritten in the shadow, and the limit on "
     "Multiple Message Capable is applied to the wrong word",
     "only MSI Enable and Multiple Message Enable can be written; Multiple Message Capable never shows more "
     "than the vectors allocated"},
    {Rule::msi_own_masks, "msi-own-masks",
     "a second MSI capability is given the masks of the first, whatever its form",
     "each MSI capability follows its own Message Control"},
    {Rule::msi_no_forward, "msi-no-forward",
     "writing MSI Message Control sends it to hardware, behind the back of the kernel that set the vectors "
     "up",
     "MSI Message Control in hardware changes only when vectors are set through the transport"},
    {Rule::power_budget_select, "power-budget-select",
     "the writable byte is power budgeting's Data and not its Data Select, so that the table cannot be read",
     "Data Select can be written, Data cannot"},
    {Rule::keep_write_one_to_clear, "keep-write-one-to-clear",
     "a merged write puts back the ones it read, which clears status bits that the caller did not touch",
     "status bits that clear by writing one change only where the caller wrote a one that may pass"},
    {Rule::bar_from_resource, "bar-from-resource",
     "whether a BAR is the lower half of a 64-bit one is taken from the bits the user wrote into a small I/O "
     "BAR",
     "sizing answers follow the resources of the device alone"},
    {Rule::restore_when_enabling, "restore-when-enabling",
     "any write to COMMAND restores changed BARs, even one that turns decoding off",
     "BARs are restored only by a write that turns decoding on"},
    {Rule::command_upper_byte, "command-upper-byte",
     "a write to COMMAND's upper byte alone skips the checks that every other write to COMMAND gets",
     "it is treated as a write of the whole register with the lower byte unchanged"},
    {Rule::vendor_header, "vendor-header",
     "a vendor-specific capability's own id, next pointer and length can be overwritten in hardware",
     "only the body of a vendor-specific capability can be written"},
    {Rule::read_request_limit, "read-request-limit",
     "a maximum read request beyond 4096 bytes is kept in the shadow while hardware has another",
     "such a value is refused: the field keeps its old value"},
};

constexpr bool in_order() {
    std::size_t index = 0;
    for (const RuleText& text : rule_texts)
        if (static_cast<std::size_t>(text.rule) != index++)
            return false;
    return index == static_cast<std::size_t>(Rule::count_);
}
static_assert(in_order(), "every rule has its text, in the order of the enumeration");

} // namespace

std::string_view name(Policy policy) noexcept {
    return policy_names[static_cast<std::size_t>(policy)];
}

std::optional<Policy> parse_policy(std::string_view text) noexcept {
    for (std::size_t index = 0; index < policy_names.size(); ++index)
        if (policy_names[index] == text)
            return static_cast<Policy>(index);
    return std::nullopt;
}

std::span<const RuleText> rules() noexcept {
    return rule_texts;
}

} // namespace sluice::inline v1::config
