// SPDX-License-Identifier: BSD-3-Clause
// Arbitrary images and accesses through the permission engine, under every policy.
//
// Input: one byte of modes, one that chooses resources, four of an injected error, a count of patches to an
// empty image (offset, length, bytes), and then accesses until the input ends.
#include <cstdio>
#include <cstdlib>

#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>

using namespace sluice;
using config::Policy;

namespace {

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

struct Nothing final : config::Observer {
    void read(std::uint32_t, unsigned, std::uint32_t) override {}
    void written(std::uint32_t, unsigned, std::uint32_t) override {}
    void event(std::string_view) override {}
};

struct Mode {
    explicit Mode(std::uint8_t bits)
        : policy(static_cast<Policy>(bits % 3))
        , large((bits & 0x04) != 0 || bits % 3 == 2)
        , vf((bits & 0x08) != 0)
        , passes((bits & 0x10) != 0)
        , pci_2_3((bits & 0x20) != 0)
        , nointx((bits & 0x40) != 0)
        , faults((bits & 0x80) != 0) {}
    Policy policy;
    bool large;
    bool vf;
    bool passes;
    bool pci_2_3;
    bool nointx;
    bool faults;
};

/// Ends the run with a report if what must hold does not.
void must(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "config_fuzz: %s\n", what);
    std::abort();
}

void patch_image(config::Image& image, Input& input) {
    const auto bytes = image.bytes();
    bytes[0x06] = 0x10;
    for (unsigned count = input.byte(); count != 0 && !input.empty(); --count) {
        std::uint32_t offset = input.word() % image.size();
        for (unsigned length = 1 + input.byte() % 32U; length != 0; --length)
            bytes[offset++ % image.size()] = input.byte();
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

void check_lists(config::Space& space, bool strict) {
    std::uint32_t offset = space.find_capability(0x10);
    must(offset == 0 || (offset >= 0x40 && offset < 0x100), "a capability outside the standard part");
    offset = space.find_extended_capability(0x01);
    must(offset == 0 || (offset >= 0x100 && offset < 0x1000), "an extended capability outside its part");
    auto status = space.read16(0x06);
    if (!strict || !status || (*status & 0x10) == 0)
        return;
    auto next = space.read8(0x34);
    unsigned steps = 0;
    while (next && *next != 0) {
        must(*next >= 0x40 && *next % 4 == 0 && ++steps < 49, "a broken list is shown");
        next = space.read8(*next + 1U);
    }
}

void access(config::Space& space, Input& input, config::Image& image, bool sound) {
    const std::uint8_t operation = input.byte();
    const std::uint32_t offset = input.word() % (image.size() + 8);
    std::byte data[8] = {};
    const std::size_t length = 1 + operation / 32U;
    const bool inside = offset + length <= image.size();
    switch (operation % 8) {
    case 0:
    case 1: {
        auto done = space.read(offset, std::span(data, length));
        must(inside || !done, "a read past the end succeeds");
        must(!inside || done || !sound, "a read inside fails with no fault");
        break;
    }
    case 2:
    case 3:
    case 4: {
        for (std::size_t index = 0; index < length; ++index)
            data[index] = static_cast<std::byte>(input.byte());
        auto done = space.write(offset, std::span(data, length));
        must(inside || !done, "a write past the end succeeds");
        must(!inside || done || !sound, "a write inside fails with no fault");
        break;
    }
    case 5:
        (void)(operation & 0x80 ? space.read32(offset).has_value()
                                : space.write32(offset, input.word()).has_value());
        break;
    case 6:
        image.bytes()[offset % image.size()] = input.byte();
        break;
    default:
        space.set_irq_type(static_cast<config::IrqType>(offset % 4));
        space.set_msi_vectors(1 + operation / 8U);
        (void)space.set_bus_master(offset % 2 != 0);
        break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const Mode mode(input.byte());
    config::Image image(mode.large ? config::extended_size : config::conventional_size);
    config::Facts facts;
    choose_resources(facts, input.byte());
    const std::uint32_t fault_offset = input.word();
    const std::uint32_t fault_length = input.byte();
    const std::uint8_t fault_code = input.byte();
    patch_image(image, input);
    facts.is_vf = facts.no_command_memory = mode.vf;
    facts.pci_2_3 = mode.pci_2_3;
    facts.nointx = mode.nointx;
    must(facts.scan(image).has_value(), "the scan fails with no fault");
    if (mode.faults && fault_code < 0x80)
        image.inject_errors(fault_offset, fault_length, fault_code, true, true);

    Nothing nothing;
    config::SystemModel model(image, facts, nothing, {});
    model.options().vpd = std::vector<std::uint8_t>(32, 0x5a);
    model.scan();
    config::Effects passes;
    auto space = config::Space::create(image, mode.passes ? passes : static_cast<config::Effects&>(model),
                                       facts, mode.policy);
    const bool strict = mode.policy == Policy::strict;
    must(space.has_value() || !strict || mode.faults, "strict does not open a device that answers");
    if (!space)
        return 0;
    if (mode.faults)
        image.inject_errors(fault_offset, fault_length, fault_code, true, true);
    must(space->owners().size() == image.size(), "a map of another size");
    must((fault_code & 0x0f) != 0 || space->compile_floor_mask().size() == image.size(), "a mask of another size");
    check_lists(*space, strict && !mode.faults);
    while (!input.empty())
        access(*space, input, image, !mode.faults);
    must(space->diagnostics().size() <= 256, "diagnostics grow without bound");
    return 0;
}
