// SPDX-License-Identifier: BSD-3-Clause
// Arbitrary images and accesses through the permission engine, one policy an execution.
//
// Input: a byte of modes, one that chooses effects and checks, one that chooses resources; with faults, four
// of an injected error; a count of patches to an empty image (offset, length, bytes); then accesses until the
// input ends or the bound is reached. What must hold of any of it is checked beside it, and ends the run
// where it does not: accesses succeed exactly inside the space, the backend is touched only inside and
// aligned, building writes nothing, a user's write carries no bit past the floor's mask and changes no bit of
// the shadow that is not writable, a read repeated gives the same, lists end.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>

#include "hardware.hpp"

using namespace sluice;
using config::Policy;
using fuzz::Input;
using fuzz::must;

namespace {

constexpr unsigned most_accesses = 96;
constexpr unsigned most_patches = 64;
/// While building: more than strict needs for any image. A kernel's walk of a loop that needs more is cut
/// short.
constexpr unsigned most_reads = 3 * 1024;
constexpr unsigned most_assignments = 2;

struct Mode {
    explicit Mode(std::uint8_t bits)
        : policy(static_cast<Policy>((bits & 3) % 3))
        , large((bits & 0x04) != 0)
        , vf((bits & 0x08) != 0)
        , faults((bits & 0x10) != 0)
        , pci_2_3((bits & 0x20) != 0)
        , nointx((bits & 0x40) != 0)
        , irq((bits & 0x80) != 0 ? config::irq_not_connected : 1) {}
    bool strict() const { return policy == Policy::strict; }
    Policy policy;
    bool large;
    bool vf;
    bool faults;
    bool pci_2_3;
    bool nointx;
    std::uint32_t irq;
};

struct Nothing final : config::Observer {
    void read(std::uint32_t, unsigned, std::uint32_t) override {}
    void written(std::uint32_t, unsigned, std::uint32_t) override {}
    void event(std::string_view) override {}
};

struct Fault {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint8_t kind = 0;
};

void patch_image(fuzz::Hardware& hardware, Input& input) {
    const auto bytes = hardware.bytes();
    bytes[0x06] = 0x10;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    for (unsigned count = input.byte() % most_patches; count != 0 && !input.empty(); --count) {
        std::uint32_t offset = input.word() % size;
        for (unsigned length = 1 + input.byte() % 32U; length != 0; --length)
            bytes[offset++ % size] = input.byte();
    }
}

void choose_resources(config::Facts& facts, std::uint8_t choice) {
    constexpr std::uint32_t flags[] = {0x100, 0x200, 0x102200, 0x2200};
    for (unsigned index = 0; index < 7; ++index)
        if ((choice >> index & 1) != 0)
            facts.resources[index] = {0xf0000000ULL + 0x10000000ULL * index, 4ULL << (choice % 31 + index),
                                      flags[(choice + index) % 4]};
    if ((choice & 0x80) != 0)
        facts.resources[config::rom_index].flags |= config::Resource::shadow_rom;
}

/// Both lists, as a driver walks them: bounded, and under strict sound in every link.
void check_lists(config::Space& space, bool strict) {
    std::uint32_t offset = space.find_capability(0x10);
    must(offset == 0 || (offset >= 0x40 && offset < 0x100), "a capability outside the standard part");
    offset = space.find_extended_capability(0x01);
    must(offset == 0 || (offset >= 0x100 && offset < 0x1000), "an extended capability outside its part");
    auto status = space.read16(0x06);
    if (!strict || !status || (*status & 0x10) == 0)
        return;
    const auto owners = space.owners();
    unsigned steps = 0;
    auto next = space.read8(0x34);
    for (; next && *next != 0; next = space.read8(*next + 1U))
        must(*next >= 0x40 && *next % 4 == 0 && ++steps < 49 && owners[*next] < 0xfe,
             "a broken list is shown");
    if (!space.extended_capabilities())
        return;
    auto head = space.read32(0x100);
    for (steps = 0; head && *head >> 20 != 0; head = space.read32(*head >> 20)) {
        offset = *head >> 20;
        must(offset > 0x100 && offset % 4 == 0 && ++steps < 960 && owners[offset] < 0xfe,
             "a broken extended list is shown", offset);
    }
}

class Session {
  public:
    Session(const Mode& mode, config::Space& space, fuzz::Hardware& hardware, config::SystemModel& model)
        : mode_(mode)
        , sound_(!mode.faults)
        , repeatable_(sound_ && (mode.strict() || !hardware.has_msi()))
        , space_(space)
        , hardware_(hardware)
        , model_(model) {}

    void step(Input& input) {
        const std::uint8_t operation = input.byte();
        const std::uint32_t offset = input.word() % (space_.size() + 8);
        const std::size_t length = 1 + operation / 32U;
        switch (operation % 8) {
        case 0:
        case 1:
            read(offset, length);
            break;
        case 2:
        case 3:
            write(offset, length, input);
            break;
        case 4:
            write_width(offset, length, input);
            break;
        case 5:
            read_widths(offset & ~3U);
            break;
        case 6:
            hardware_.bytes()[offset % space_.size()] = input.byte();
            header_changed_ = true;
            break;
        default:
            control(operation / 8U, offset);
            break;
        }
    }

  private:
    /// What an access answered against where it lay. Under the kernel policies a write near MSI may fail: its
    /// flags go on to where the capability seems to begin, which other capabilities may have made an odd
    /// offset.
    void check(bool done, std::uint32_t offset, std::size_t length, unsigned touched_before,
               bool writes) const {
        const bool inside = offset + length <= space_.size();
        must(inside || !done, "an access past the end succeeds", offset);
        must(inside || hardware_.touched() == touched_before, "an access past the end reaches hardware",
             offset);
        must(!inside || done || !(writes ? repeatable_ : sound_), "an access inside fails with no fault",
             offset);
    }

    void read(std::uint32_t offset, std::size_t length) {
        std::byte first[8] = {};
        std::byte second[8] = {};
        const unsigned touched = hardware_.touched();
        const unsigned written = hardware_.written();
        auto done = space_.read(offset, std::span(first, length));
        check(done.has_value(), offset, length, touched, false);
        must(hardware_.written() == written, "a read writes to hardware");
        if (!done || !repeatable_)
            return;
        must(space_.read(offset, std::span(second, length)).has_value(), "a read fails when it is repeated");
        must(std::memcmp(first, second, sizeof first) == 0,
             "a read gives something else when it is repeated");
    }

    void write(std::uint32_t offset, std::size_t length, Input& input) {
        std::byte data[8];
        std::uint8_t before[8] = {};
        for (std::size_t index = 0; index < length; ++index)
            data[index] = static_cast<std::byte>(input.byte());
        const bool inside = offset + length <= space_.size();
        if (inside)
            std::copy_n(space_.shadow().begin() + offset, length, before);
        const unsigned touched = hardware_.touched();
        auto done = space_.write(offset, std::span(data, length));
        check(done.has_value(), offset, length, touched, true);
        // Under the kernel policies a capability's effect may fall on bytes that another took from it.
        for (std::size_t index = 0; mode_.strict() && inside && index < length; ++index) {
            const auto at = static_cast<std::uint32_t>(offset + index);
            const unsigned changed = before[index] ^ space_.shadow()[at];
            must((changed & ~unsigned{space_.access(at).write}) == 0,
                 "a bit of the shadow changes that is not writable", at);
        }
    }

    void write_width(std::uint32_t offset, std::size_t length, Input& input) {
        const std::uint32_t value = input.word() | input.word() << 16;
        const unsigned touched = hardware_.touched();
        if (length <= 2)
            check(space_.write8(offset, static_cast<std::uint8_t>(value)).has_value(), offset, 1, touched,
                  true);
        else if (length <= 4)
            check(space_.write16(offset, static_cast<std::uint16_t>(value)).has_value(), offset, 2, touched,
                  true);
        else
            check(space_.write32(offset, value).has_value(), offset, 4, touched, true);
    }

    /// A dword at once is what its words and bytes are. Under the kernel policies only the way of asking may
    /// differ: there a header's id comes from hardware or from the shadow as the width has it.
    void read_widths(std::uint32_t offset) {
        const unsigned touched = hardware_.touched();
        auto whole = space_.read32(offset);
        check(whole.has_value(), offset, 4, touched, false);
        if (!whole || !repeatable_)
            return;
        std::uint32_t bytes = 0;
        must(space_.read(offset, std::as_writable_bytes(std::span(&bytes, 1))).has_value() && bytes == *whole,
             "a dword differs from its four bytes read at once", offset);
        if (!mode_.strict() || header_changed_)
            return;
        std::uint32_t words = 0;
        bytes = 0;
        for (unsigned index = 0; index < 4; ++index)
            bytes |= std::uint32_t{*space_.read8(offset + index)} << (8 * index);
        for (unsigned index = 0; index < 4; index += 2)
            words |= std::uint32_t{*space_.read16(offset + index)} << (8 * index);
        must(bytes == *whole && words == *whole, "a dword differs from its words or bytes");
        must(*space_.read16(offset + 1) == (*whole >> 8 & 0xffff), "an unaligned word differs");
    }

    void control(unsigned choice, std::uint32_t offset) {
        switch (choice % 8) {
        case 0:
            space_.set_irq_type(static_cast<config::IrqType>(offset % 4));
            model_.set_irq_type(static_cast<config::IrqType>(offset % 4));
            break;
        case 1:
            space_.set_msi_vectors(1 + offset % 32);
            break;
        case 2:
            settle(space_.set_bus_master(offset % 2 != 0));
            settle(space_.set_memory_decoding(offset % 4 != 0));
            break;
        case 3:
            settle(space_.set_intx_disabled(offset % 2 != 0));
            break;
        case 4:
            (void)space_.request_reset();
            break;
        case 5:
            must(space_.find_capability(static_cast<std::uint8_t>(offset), offset % 256) < 0x100,
                 "a search leaves the list");
            must(space_.find_extended_capability(static_cast<std::uint16_t>(offset % 0x30),
                                                 offset % space_.size()) < 0x1000,
                 "an extended search leaves the list");
            break;
        case 6:
            (void)space_.status();
            (void)(space_.memory_enabled() && space_.power() == config::PowerState::d0);
            break;
        default:
            if (assignments_++ < most_assignments)
                assign(offset);
            break;
        }
    }

    void settle(const Result<void>& done) const {
        must(done.has_value() || !sound_, "COMMAND cannot be changed");
    }

    /// Device-specific registers: the header's effects go by its registers, whoever owns them.
    void assign(std::uint32_t offset) {
        offset = std::max(offset, 0x40U);
        const std::uint32_t length = 4 * (offset % 4);
        const bool inside = offset + length <= space_.size();
        auto done =
            space_.assign(offset, length, offset % 8 < 4 ? config::owner_virtual : config::owner_none);
        must(done.has_value() == inside || !sound_, "bytes are given away outside the space, or not inside");
        header_changed_ = true;
    }

    const Mode& mode_;
    const bool sound_;
    const bool repeatable_; ///< vfio-pci changes the shadow when MSI's flags are read
    bool header_changed_ = false;
    unsigned assignments_ = 0;
    config::Space& space_;
    fuzz::Hardware& hardware_;
    config::SystemModel& model_;
};

/// Everything at the end that is as long as the space.
void check_whole(const config::Space& space, const fuzz::Hardware& hardware) {
    const auto mask = space.compile_floor_mask();
    must(mask.size() == hardware.size() && space.owners().size() == hardware.size() &&
             space.shadow().size() == hardware.size(),
         "a map of another size");
    for (std::uint32_t offset = 0; offset < hardware.size(); ++offset) {
        const config::BitAccess access = space.access(offset);
        must(mask[offset] == (access.write & ~access.virt) || hardware.is_raw_vendor(offset),
             "the mask for the floor is not the one in force");
    }
    for (const config::Diagnostic& diagnostic : space.diagnostics())
        must(!diagnostic.text().empty(), "a diagnosis without a text");
}

/// What a device with an extended list is known by; shorter inputs suffice with it.
config::Facts facts_of(const Mode& mode, std::uint8_t choice) {
    config::Facts facts;
    choose_resources(facts, choice);
    facts.is_vf = facts.no_command_memory = mode.vf;
    facts.pci_2_3 = mode.pci_2_3;
    facts.nointx = mode.nointx;
    facts.irq = mode.irq;
    return facts;
}

void run(Input& input, fuzz::Hardware& hardware) {
    const Mode mode(input.byte());
    const std::uint8_t choice = input.byte();
    config::Facts facts = facts_of(mode, input.byte());
    Fault fault;
    if (mode.faults)
        fault = {input.word(), input.byte(), input.byte()};
    hardware.begin(mode.large ? config::extended_size : config::conventional_size, mode.strict());
    patch_image(hardware, input);
    must(facts.scan(hardware).has_value(), "the scan fails with no fault");

    static Nothing nothing;
    fuzz::Platform platform(hardware);
    config::SystemModel model(platform, facts, nothing, {});
    if ((choice & 0x08) != 0)
        model.options() = {
            (choice & 0x10) != 0, (choice & 0x20) != 0, (choice & 0x40) != 0, (choice & 0x80) != 0, {}};
    model.options().vpd.emplace(32, std::uint8_t{0x5a});
    model.scan();
    fuzz::Done done;
    fuzz::Failing failing(choice);
    config::Effects passing;
    config::Effects* const effects[] = {&done, &passing, &failing, &model, &done, &done, &passing, &model};
    hardware.expect_effects(effects[choice % 8] == &passing, effects[choice % 8] == &model);

    if (fault.kind % 2 != 0)
        hardware.fail_at(fault.offset, fault.length, (fault.kind & 2) != 0, (fault.kind & 4) != 0);
    hardware.allow_reads(most_reads);
    auto space = config::Space::create(hardware, *effects[choice % 8], facts, mode.policy);
    must(hardware.written() == 0, "building writes to hardware");
    must(space.has_value() || !mode.strict() || mode.faults, "strict does not open a device that answers");
    if (!space)
        return;
    hardware.mediated_by(*space);
    hardware.allow_reads(1U << 20);
    if (mode.faults)
        hardware.fail_at(fault.offset, fault.length, (fault.kind & 2) != 0, (fault.kind & 4) != 0);
    check_lists(*space, mode.strict() && !mode.faults);
    Session session(mode, *space, hardware, model);
    for (unsigned count = 0; count < most_accesses && !input.empty(); ++count)
        session.step(input);
    must(space->diagnostics().size() <= 256, "diagnostics grow without bound");
    if (choice >= 0xfc)
        check_whole(*space, hardware);
}

} // namespace

/// Memory is taken and given back so often that a long quarantine only makes it cold.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=1:malloc_context_size=8";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::Hardware hardware;
    Input input(data, size);
    run(input, hardware);
    return 0;
}
