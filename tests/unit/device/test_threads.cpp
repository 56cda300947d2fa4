// SPDX-License-Identifier: BSD-3-Clause
// Where threads meet in lib/device: an address space, and the lines of a model. Run under ThreadSanitizer,
// too.
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/device/inproc.hpp>

#include "page.hpp"

using namespace sluice;
using device::DmaAccess;
using device::Irq;
using device::inproc::Lines;
using device::inproc::TableSpace;

namespace {

constexpr int rounds = 2000;

TEST(Threads, map_and_unmap_beside_a_model_that_does_dma) {
    auto space = TableSpace::create();
    auto memory = Mapping::anonymous(4 * page).value();
    std::atomic<bool> done{false};
    std::atomic<unsigned> wrong{0};
    std::thread model([&] {
        while (!done.load())
            for (std::uint64_t i = 0; i < 4; ++i)
                if (auto found = space->translate(Iova{(i + 1) * page}, page, DmaAccess::read))
                    if (found->data() != memory.data() + i * page)
                        ++wrong;
    });
    std::vector<std::thread> drivers;
    for (std::uint64_t i = 0; i < 2; ++i)
        drivers.emplace_back([&, i] {
            for (int round = 0; round < rounds; ++round) {
                if (!space->map(Iova{(i + 1) * page}, memory.span().subspan(i * page, page),
                                DmaAccess::read_write))
                    ++wrong;
                if (!space->unmap(Iova{(i + 1) * page}, page))
                    ++wrong;
            }
        });
    for (std::thread& driver : drivers)
        driver.join();
    done = true;
    model.join();
    EXPECT_EQ(wrong.load(), 0U);
    EXPECT_EQ(space->info()->entries, 0U);
}

TEST(Threads, lose_no_interrupt_while_eventfds_are_swapped) {
    Lines lines("nic", {0, 0, 1, 0, 0});
    auto first = EventFd::create().value();
    auto second = EventFd::create().value();
    const int fds[] = {first.fd()};
    const int others[] = {second.fd()};
    ASSERT_TRUE(lines.enable(Irq::msix, fds));
    unsigned fired = 0;
    std::thread model([&] {
        for (int round = 0; round < rounds; ++round)
            fired += lines.fire(Irq::msix, 0) ? 1 : 0;
    });
    for (int round = 0; round < rounds; ++round)
        EXPECT_TRUE(lines.set(Irq::msix, 0, round % 2 == 0 ? others : fds));
    model.join();
    EXPECT_EQ(fired, static_cast<unsigned>(rounds));
    EXPECT_EQ(first.take() + second.take(), static_cast<std::uint64_t>(rounds));
}

} // namespace
