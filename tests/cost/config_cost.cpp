// SPDX-License-Identifier: BSD-3-Clause
// Accesses to be counted: config_cost KIND COUNT.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <sluice/config/space.hpp>

using namespace sluice;

namespace {

/// Hardware that costs next to nothing, as a mapped one would.
struct Bytes final : config::Backend {
    std::uint32_t size() const noexcept override { return config::extended_size; }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned) override { return words[offset / 4]; }
    Result<void> write(std::uint32_t offset, unsigned, std::uint32_t value) override {
        words[offset / 4] = value;
        return {};
    }
    std::uint32_t words[config::extended_size / 4] = {};
};

template <typename Access>
int repeat(unsigned long count, Access access) {
    std::uint32_t sum = 0;
    for (unsigned long index = 0; index < count; ++index)
        sum += access();
    return std::printf("%u\n", sum) > 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return 2;
    const std::string kind = argv[1];
    const unsigned long count = std::strtoul(argv[2], nullptr, 10);
    Bytes bytes;
    bytes.words[1] = 0x00100000;        // a capability list
    bytes.words[0x34 / 4] = 0x40;       // MSI-X at 40h, Express at 60h
    bytes.words[0x40 / 4] = 0x00076011; //
    bytes.words[0x60 / 4] = 0x00020010;
    bytes.words[0x100 / 4] = 0x00010001; // AER
    config::Effects effects;
    config::Facts facts;
    if (!facts.scan(bytes))
        return 2;
    auto space = config::Space::create(bytes, effects, facts);
    if (!space)
        return 2;
    config::Backend* hidden = &bytes;
    asm volatile("" : "+r"(hidden)); // a call through the interface, as every transport's is
    config::Backend& raw = *hidden;
    constexpr std::uint32_t hardware = 0x64; // Device Capabilities: hardware alone
    constexpr std::uint32_t shadow = 0x10;   // a BAR: shadow alone
    constexpr std::uint32_t mixed = 0x68;    // Device Control: both
    constexpr std::uint32_t mask = 0x108;    // an AER mask: writable in part
    (void)space->read32(shadow);
    if (kind == "raw-read")
        return repeat(count, [&] { return *raw.read(hardware, 4); });
    if (kind == "raw-write")
        return repeat(count, [&] { return raw.write(mask, 4, 1) ? *raw.read(mask, 4) : 0; });
    if (kind == "read-hardware")
        return repeat(count, [&] { return *space->read32(hardware); });
    if (kind == "read-shadow")
        return repeat(count, [&] { return *space->read32(shadow); });
    if (kind == "read-mixed")
        return repeat(count, [&] { return *space->read32(mixed); });
    if (kind == "write")
        return repeat(count, [&] { return space->write32(mask, 1) ? 1U : 0U; });
    return 2;
}
