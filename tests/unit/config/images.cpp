// SPDX-License-Identifier: BSD-3-Clause
#include "images.hpp"

#include <cstdio>
#include <random>

#include <gtest/gtest.h>

namespace sluice::testing {

void Log::written(std::uint32_t offset, unsigned width, std::uint32_t value) {
    char line[32];
    std::snprintf(line, sizeof line, "%03x %u %0*x", offset, width, static_cast<int>(2 * width), value);
    lines.emplace_back(line);
}

Function::Function(std::uint32_t size)
    : image(size)
    , recorder(image, log)
    , system(recorder, facts, log, {}) {
    bytes(0x00, {0x34, 0x12, 0x78, 0x56});
    bytes(0x08, {0x01, 0x00, 0x00, 0x02});
}

Function& Function::bytes(std::uint32_t offset, std::initializer_list<std::uint8_t> data) {
    for (const std::uint8_t byte : data)
        image.bytes()[offset++] = byte;
    return *this;
}

Function& Function::read_only(std::uint32_t offset, std::uint32_t length) {
    while (length-- != 0)
        image.write_mask()[offset++] = 0;
    return *this;
}

Function& Function::clears(std::uint32_t offset, std::uint8_t bits) {
    image.clear_mask()[offset] = bits;
    image.write_mask()[offset] = static_cast<std::uint8_t>(~bits);
    return *this;
}

Function& Function::capability(std::uint8_t offset, std::uint8_t id,
                               std::initializer_list<std::uint8_t> body) {
    image.bytes()[0x06] |= 0x10;
    image.bytes()[last_] = offset;
    bytes(offset, {id, 0});
    bytes(offset + 2U, body);
    last_ = offset + 1U;
    return *this;
}

Function& Function::extended(std::uint16_t offset, std::uint16_t id,
                             std::initializer_list<std::uint32_t> body) {
    if (last_extended_ != 0) {
        image.bytes()[last_extended_ + 2] = static_cast<std::uint8_t>((offset & 0xf) << 4 | 1);
        image.bytes()[last_extended_ + 3] = static_cast<std::uint8_t>(offset >> 4);
    }
    set_hardware(offset, 4, id | 0x10000U);
    last_extended_ = offset;
    for (const std::uint32_t word : body)
        set_hardware(offset += 4, 4, word);
    return *this;
}

config::Space& Function::open(config::Policy policy) {
    facts.no_command_memory |= facts.is_vf;
    EXPECT_TRUE(facts.scan(image));
    system.scan();
    log = {};
    auto made = config::Space::create(recorder, system, facts, policy);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    space.emplace(std::move(*made));
    return *space;
}

std::uint32_t Function::hardware(std::uint32_t offset, unsigned width) {
    std::uint32_t value = 0;
    for (unsigned index = 0; index < width; ++index)
        value |= std::uint32_t{image.bytes()[offset + index]} << (8 * index);
    return value;
}

void Function::set_hardware(std::uint32_t offset, unsigned width, std::uint32_t value) {
    for (unsigned index = 0; index < width; ++index)
        image.bytes()[offset + index] = static_cast<std::uint8_t>(value >> (8 * index));
}

namespace {

/// Puts a list of headers into the standard part, sometimes broken.
void add_standard_list(std::vector<std::uint8_t>& image, std::mt19937_64& random) {
    const auto pick = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    image[0x06] |= 0x10;
    std::uint32_t link = 0x34;
    for (unsigned count = pick(12); count != 0; --count) {
        std::uint32_t offset = pick(8) == 0 ? pick(256) : 0x40 + 4 * pick(48);
        image[link] = static_cast<std::uint8_t>(offset);
        image[offset] = static_cast<std::uint8_t>(pick(10) == 0 ? pick(256) : pick(0x16));
        link = (offset + 1) % 256;
        image[link] = 0;
    }
    if (pick(6) == 0)
        image[link] = static_cast<std::uint8_t>(pick(256));
}

void add_extended_list(std::vector<std::uint8_t>& image, std::mt19937_64& random) {
    const auto pick = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    std::uint32_t offset = 0x100;
    for (unsigned count = 1 + pick(16); count != 0; --count) {
        const std::uint32_t id = pick(12) == 0 ? pick(0x10000) : pick(0x30);
        std::uint32_t next = 0;
        if (count != 1)
            next = pick(8) == 0 ? 0x100 + 4 * pick(960) : std::min(0xffcU, offset + 8 + 4 * pick(32));
        else if (pick(6) == 0)
            next = 4 * pick(1024);
        const std::uint32_t header = id | (1 + pick(2)) << 16 | next << 20;
        for (unsigned index = 0; index < 4; ++index)
            image[offset + index] = static_cast<std::uint8_t>(header >> (8 * index));
        if (next < 0x100)
            break;
        offset = next;
    }
}

} // namespace

std::vector<std::uint8_t> random_image(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> image(random() % 2 != 0 ? 4096 : 256);
    const unsigned filling = static_cast<unsigned>(random() % 4);
    for (std::uint8_t& byte : image)
        byte = filling == 0 ? 0 : filling == 1 ? 0xff : static_cast<std::uint8_t>(random());
    image[0x0e] = 0;
    add_standard_list(image, random);
    if (image.size() > 256 && random() % 8 != 0)
        add_extended_list(image, random);
    return image;
}

} // namespace sluice::testing
