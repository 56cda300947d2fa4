// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstdio>
#include <string>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>

#include "compare.hpp"
#include "fields.hpp"

using namespace sluice;
using namespace sluice::configdiff;

namespace {

constexpr std::uint32_t size = 256;
constexpr std::uint32_t latency = 0x0d;
constexpr std::uint32_t unowned = 0xf0;

/// Plain bytes behind a mask: what a mediator below lets through.
class Bytes final : public Subject {
  public:
    explicit Bytes(std::uint8_t write_mask)
        : mask(size, write_mask)
        , bytes(size) {
        bytes[0] = 0x86;
    }
    int read(std::uint32_t offset, unsigned width, std::uint32_t& value) override {
        if (offset + width > size)
            return EFAULT;
        value = 0;
        for (unsigned index = 0; index < width; ++index)
            value |= std::uint32_t{bytes[offset + index]} << (8 * index);
        return 0;
    }
    int write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        if (offset + width > size)
            return EFAULT;
        for (unsigned index = 0; index < width; ++index) {
            const std::uint8_t allowed = mask[offset + index];
            std::uint8_t& byte = bytes[offset + index];
            byte = static_cast<std::uint8_t>((byte & ~allowed) | (value >> (8 * index) & allowed));
        }
        return 0;
    }
    int interrupts(device::Irq, unsigned) override { return 0; }
    int bar(unsigned, std::uint64_t, std::uint8_t&, bool) override { return ENODEV; }
    std::vector<std::uint8_t> floor() override { return floor_bits; }

    std::vector<std::uint8_t> mask;
    std::vector<std::uint8_t> bytes;
    std::vector<std::uint8_t> floor_bits;
};

Record record_of(Bytes& bytes, Route route, unsigned percent = 20) {
    const std::vector<std::uint8_t> image = bytes.bytes;
    return *run(bytes, route, Plan{7, percent}, image);
}

/// vfio-pci lets every bit through; what `floor` has not, the engine's side must not have either.
struct Pair {
    Bytes kernel{0xff};
    Bytes engine{0xff};

    Pair() { engine.floor_bits.assign(size, 0xff); }
    Comparison compared(Route route = Route::engine) {
        const Record left = record_of(kernel, Route::kernel);
        return compare(left, record_of(engine, route));
    }
};

} // namespace

TEST(ConfigDiff, finds_nothing_between_equals) {
    const Comparison result = Pair().compared();
    EXPECT_TRUE(result.good());
    EXPECT_GT(result.answers, 1000U);
    EXPECT_EQ(result.explained_answers, 0U);
}

TEST(ConfigDiff, explains_a_bit_that_the_floor_denies) {
    Pair pair;
    pair.engine.mask[latency] = 0x0f;
    pair.engine.floor_bits[latency] = 0x0f;
    const Comparison result = pair.compared();
    EXPECT_TRUE(result.good()) << testing::PrintToString(result.unexplained);
    EXPECT_GT(result.explained_answers, 0U);
    EXPECT_EQ(result.explained[latency], 0xf0);
    EXPECT_EQ(result.explained[latency + 1], 0);
}

TEST(ConfigDiff, does_not_explain_a_bit_that_the_floor_lets_through) {
    Pair pair;
    pair.engine.mask[latency] = 0x0f;
    pair.engine.floor_bits[latency] = 0x1f;
    const Comparison result = pair.compared();
    EXPECT_FALSE(result.good());
    EXPECT_FALSE(result.unexplained.empty());
}

TEST(ConfigDiff, does_not_explain_a_bit_that_vfio_pci_keeps_back) {
    Pair pair;
    pair.kernel.mask[latency] = 0x0f;
    pair.engine.mask[latency] = 0x0f;
    pair.engine.floor_bits[latency] = 0;
    const Record left = record_of(pair.kernel, Route::kernel);
    Record right = record_of(pair.engine, Route::engine);
    for (Answer& answer : right.answers)
        if (answer.error == 0)
            answer.value ^= 0x80;
    EXPECT_FALSE(compare(left, right).good());
}

TEST(ConfigDiff, does_not_explain_a_bit_that_the_engine_changes_all_the_same) {
    Pair pair;
    pair.engine.floor_bits[unowned] = 0;
    const Record left = record_of(pair.kernel, Route::kernel);
    Record right = record_of(pair.engine, Route::engine);
    const std::vector<Operation> list = operations(left.plan, left.image);
    const auto last = std::find_if(list.rbegin(), list.rend(),
                                   [](const Operation& operation) { return operation.offset == unowned; });
    right.answers[static_cast<std::size_t>(list.rend() - last) - 1].value ^= 1;
    EXPECT_EQ(compare(left, right).unexplained_answers, 1U);
}

TEST(ConfigDiff, explains_nothing_when_the_engine_is_above_vfio_pci) {
    Pair pair;
    pair.engine.mask[latency] = 0x0f;
    pair.engine.floor_bits[latency] = 0x0f;
    EXPECT_FALSE(pair.compared(Route::twice).good());
}

TEST(ConfigDiff, refuses_runs_that_began_differently) {
    Pair pair;
    pair.engine.bytes[0x40] = 1;
    EXPECT_THAT(pair.compared().unequal_start, testing::HasSubstr("byte 040"));
}

TEST(ConfigDiff, allows_for_the_interrupt_disable_bit_of_the_module_alone) {
    Pair pair;
    pair.engine.bytes[0x05] = 0x04;
    EXPECT_TRUE(pair.compared().unequal_start.empty());
    pair = Pair();
    pair.engine.bytes[0x05] = 0x04;
    EXPECT_FALSE(pair.compared(Route::twice).unequal_start.empty());
    pair = Pair();
    pair.engine.bytes[0x05] = 0x08;
    EXPECT_FALSE(pair.compared().unequal_start.empty());
}

TEST(ConfigDiff, tells_an_error_from_a_value) {
    Pair pair;
    const Record left = record_of(pair.kernel, Route::kernel);
    Record right = record_of(pair.engine, Route::engine);
    right.answers[5] = {0, EIO};
    const Comparison result = compare(left, right);
    EXPECT_EQ(result.unexplained_answers, 1U);
    EXPECT_THAT(result.unexplained, testing::ElementsAre(testing::HasSubstr("errno 5")));
}

TEST(ConfigDiff, refuses_a_run_that_was_cut_short) {
    Pair pair;
    const Record left = record_of(pair.kernel, Route::kernel);
    Record right = record_of(pair.engine, Route::engine);
    right.answers.pop_back();
    EXPECT_FALSE(compare(left, right).good());
}

TEST(ConfigDiff, keeps_a_run_in_a_file) {
    Pair pair;
    const Record record = record_of(pair.engine, Route::engine, 3);
    const std::string path = testing::TempDir() + "/config_diff." + std::to_string(::getpid());
    ASSERT_TRUE(save(record, path));
    const auto loaded = load(path);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->route, Route::engine);
    EXPECT_EQ(loaded->plan.seed, 7U);
    EXPECT_EQ(loaded->plan.percent, 3U);
    EXPECT_EQ(loaded->image, record.image);
    EXPECT_EQ(loaded->floor, record.floor);
    EXPECT_EQ(loaded->answers, record.answers);
    ASSERT_EQ(::truncate(path.c_str(), 700), 0);
    EXPECT_FALSE(load(path));
    std::remove(path.c_str());
}

TEST(ConfigDiff, visits_every_offset_and_width_in_a_whole_plan) {
    const std::vector<std::uint8_t> image(size);
    std::vector<unsigned> seen(size * 5);
    for (const Operation& operation : operations(Plan{1, 100}, image))
        if (operation.kind == Kind::write && operation.value == 0)
            ++seen[operation.offset * 5U + operation.width];
    for (std::uint32_t offset = 0; offset < size; ++offset)
        for (const unsigned width : {1U, 2U, 4U})
            EXPECT_GE(seen[offset * 5 + width], 1U) << offset << " " << width;
}

TEST(ConfigDiff, names_fields) {
    std::vector<std::uint8_t> bits(size);
    bits[latency] = 0xf0;
    bits[0x80] = 0x01;
    bits[0x82] = 0x12;
    std::vector<std::uint8_t> image(size);
    EXPECT_THAT(field_lines(bits, image, config::Policy::kernel_6_12),
                testing::ElementsAre("00d  Latency Timer  f0",
                                     "080 to 082  no visible capability's: 3 bits in 2 bytes"));
}
