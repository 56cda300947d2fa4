// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <gtest/gtest.h>

#include "driver.hpp"

namespace model_test {
namespace {

using model::Buffers;
using model::Chain;
using model::Take;

template <typename Driver>
class Ring : public testing::Test {
  protected:
    void SetUp() override { ring.start(driver.memory()); }

    Take take(Chain& chain) { return ring.take(block, *buffers, chain); }

    Block block;
    Driver driver{block, 8};
    typename Driver::Ring ring;
    std::unique_ptr<Buffers> buffers = std::make_unique<Buffers>();
    std::uint64_t data = block.take(4096);
};

using Drivers = testing::Types<SplitDriver, PackedDriver>;
TYPED_TEST_SUITE(Ring, Drivers);

TYPED_TEST(Ring, gives_the_buffers_of_a_chain) {
    Chain chain;
    EXPECT_FALSE(this->ring.ready());
    EXPECT_EQ(this->take(chain), Take::empty);
    const Part parts[] = {{this->data, 12}, {this->data + 100, 0}, {this->data + 200, 60, true}};
    const auto id = this->driver.post(parts);
    EXPECT_TRUE(this->ring.ready());
    ASSERT_EQ(this->take(chain), Take::taken);
    EXPECT_EQ(chain.id, id);
    EXPECT_EQ(chain.descriptors, 3);
    const auto found = this->buffers->from(chain.first, chain.count);
    ASSERT_EQ(found.size(), 2U) << "an empty buffer is left out";
    EXPECT_EQ(found[0].data, this->block.at(this->data));
    EXPECT_EQ(found[0].size, 12U);
    EXPECT_FALSE(found[0].writable);
    EXPECT_EQ(found[1].data, this->block.at(this->data + 200));
    EXPECT_TRUE(found[1].writable);
    EXPECT_EQ(this->take(chain), Take::empty);
}

TYPED_TEST(Ring, shows_what_was_used_at_the_flush_and_not_before) {
    const Part part[] = {{this->data, 60, true}};
    const auto first = this->driver.post(part);
    const auto second = this->driver.post(part);
    Chain one;
    Chain two;
    ASSERT_EQ(this->take(one), Take::taken);
    ASSERT_EQ(this->take(two), Take::taken);
    this->ring.use(one, 7);
    this->ring.use(two, 9);
    EXPECT_FALSE(this->driver.used());
    this->ring.flush();
    EXPECT_EQ(this->driver.used(), (UsedChain{first, 7}));
    EXPECT_EQ(this->driver.used(), (UsedChain{second, 9}));
    EXPECT_FALSE(this->driver.used());
}

TYPED_TEST(Ring, answers_for_several_at_once) {
    std::vector<std::uint64_t> looked;
    std::vector<Chain> chains(3);
    std::uint16_t last = 0;
    for (std::uint64_t i = 0; i < chains.size(); ++i) {
        const Part part[] = {{this->data + 100 * i, 60}};
        last = this->driver.post(part);
    }
    this->ring.peek(8, [&](std::uint64_t address) { looked.push_back(address); });
    EXPECT_EQ(looked, (std::vector{this->data, this->data + 100, this->data + 200}));
    for (Chain& chain : chains)
        ASSERT_EQ(this->take(chain), Take::taken);
    looked.clear();
    this->ring.peek(8, [&](std::uint64_t address) { looked.push_back(address); });
    EXPECT_TRUE(looked.empty());
    const auto base = this->ring.base();
    this->ring.use_in_order(chains);
    EXPECT_FALSE(this->driver.used());
    this->ring.flush();
    EXPECT_EQ(this->driver.used(), (UsedChain{last, 0}));
    EXPECT_EQ(this->ring.base(), base) << "what is used is behind what was taken, all of it";
}

TYPED_TEST(Ring, goes_round_and_round) {
    for (unsigned turn = 0; turn < 10'000; ++turn) {
        const unsigned chains = turn % 3 + 1;
        std::vector<std::uint16_t> ids;
        for (unsigned i = 0; i < chains; ++i) {
            std::vector<Part> parts((turn + i) % 2 + 1, Part{this->data + i, i + 1});
            ids.push_back(this->driver.post(parts));
        }
        this->buffers->clear();
        for (unsigned i = 0; i < chains; ++i) {
            Chain chain;
            ASSERT_EQ(this->take(chain), Take::taken) << turn;
            ASSERT_EQ(chain.id, ids[i]);
            ASSERT_EQ(chain.count, (turn + i) % 2 + 1);
            this->ring.use(chain, i);
        }
        this->ring.flush();
        for (unsigned i = 0; i < chains; ++i)
            ASSERT_EQ(this->driver.used(), (UsedChain{ids[i], i}));
    }
    EXPECT_FALSE(this->ring.broken());
}

TYPED_TEST(Ring, takes_again_what_was_put_back) {
    const Part part[] = {{this->data, 60}};
    const auto first = this->driver.post(part);
    const auto second = this->driver.post(part);
    Chain chain;
    ASSERT_EQ(this->take(chain), Take::taken);
    const auto here = this->ring.position();
    ASSERT_EQ(this->take(chain), Take::taken);
    EXPECT_EQ(chain.id, second);
    this->ring.rewind(here);
    ASSERT_EQ(this->take(chain), Take::taken);
    EXPECT_EQ(chain.id, second);
    EXPECT_NE(first, second);
}

TYPED_TEST(Ring, goes_on_where_it_stood) {
    const Part part[] = {{this->data, 60}};
    Chain chain;
    for (unsigned i = 0; i < 13; ++i) {
        this->driver.post(part);
        this->buffers->clear();
        ASSERT_EQ(this->take(chain), Take::taken);
        this->ring.use(chain, 1);
        this->ring.flush();
        ASSERT_TRUE(this->driver.used());
    }
    const auto base = this->ring.base();
    this->ring.stop();
    EXPECT_FALSE(this->ring.running());
    typename TypeParam::Ring other;
    other.start(this->driver.memory(), base);
    const auto id = this->driver.post(part);
    ASSERT_EQ(other.take(this->block, *this->buffers, chain), Take::taken);
    other.use(chain, 5);
    other.flush();
    EXPECT_EQ(this->driver.used(), (UsedChain{id, 5}));
}

TYPED_TEST(Ring, follows_a_buffer_into_the_next_mapping) {
    const std::uint64_t border = Block::base + Block::size / 2;
    const Part part[] = {{border - 10, 30}};
    this->driver.post(part);
    Chain chain;
    ASSERT_EQ(this->take(chain), Take::taken);
    ASSERT_EQ(chain.count, 2U);
    const auto found = this->buffers->from(chain.first, chain.count);
    EXPECT_EQ(found[0].size, 10U);
    EXPECT_EQ(found[1].size, 20U);
    EXPECT_EQ(found[1].data, found[0].data + 10);
}

TYPED_TEST(Ring, asks_for_doorbells_and_is_asked_for_interrupts) {
    this->ring.want_doorbells(false);
    EXPECT_FALSE(this->driver.doorbells_wanted());
    this->ring.want_doorbells(true);
    EXPECT_TRUE(this->driver.doorbells_wanted());
    this->driver.want_interrupts(false);
    EXPECT_FALSE(this->ring.wants_interrupt());
    this->driver.want_interrupts(true);
    EXPECT_TRUE(this->ring.wants_interrupt());
}

TEST(Memory, finds_what_lies_in_one_piece) {
    Block block;
    const std::uint64_t border = Block::base + Block::size / 2;
    EXPECT_EQ(block.contiguous(border - 8, 16, true), block.at(border - 8)) << "pieces that touch are one";
    EXPECT_EQ(block.contiguous(Block::base + Block::size - 8, 16, true), nullptr);
    EXPECT_EQ(block.contiguous(Block::base - 1, 1, true), nullptr);
    EXPECT_EQ(block.contiguous(~std::uint64_t{0}, 16, true), nullptr);
    EXPECT_EQ(block.translate(~std::uint64_t{0}, 16, true).size(), 0U);
}

} // namespace
} // namespace model_test
