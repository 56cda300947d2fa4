// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include <sluice/model/ring_nic.hpp>

#include "scenarios.hpp"

namespace {

using namespace sluice;

TEST(Scenarios, have_a_form_of_every_device_that_a_driver_drives) {
    const auto all = perf::scenarios();
    for (const model::RingNic& nic : model::ring_nics())
        for (const char* path : {"rx", "tx", "fwd", "idle"})
            EXPECT_TRUE(std::ranges::any_of(all,
                                            [&](const perf::Scenario& each) {
                                                return each.variant == nic.name && each.path == path &&
                                                       each.burst == 32;
                                            }))
                << nic.name << ' ' << path;
}

TEST(Scenarios, differ_by_id_and_are_found_by_it) {
    std::set<std::string> ids;
    for (const auto& each : perf::scenarios()) {
        EXPECT_TRUE(ids.insert(each.id).second) << each.id << " twice";
        const auto found = perf::scenario_named(each.id);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->ring, each.ring);
    }
    EXPECT_FALSE(perf::scenario_named("virtio"));
}

TEST(Scenarios, of_every_driver_are_gated_and_no_more_than_sixty) {
    std::set<std::string> drivers, gated;
    std::size_t ci = 0;
    for (const auto& each : perf::scenarios()) {
        drivers.insert(each.driver);
        if (each.ci)
            gated.insert(each.driver);
        ci += each.ci ? 1 : 0;
    }
    EXPECT_EQ(drivers, gated);
    EXPECT_LE(ci, 60U);
}

TEST(Scenarios, whose_rates_are_searched_forward_over_a_soft_nic) {
    std::size_t full = 0;
    for (const auto& each : perf::scenarios())
        if (each.full) {
            ++full;
            EXPECT_EQ(each.path, "fwd") << each.id;
            EXPECT_TRUE(model::soft_nic_form(each.variant)) << each.id;
        }
    EXPECT_GE(full, 2U);
    EXPECT_FALSE(model::soft_nic_form("82574"));
}

} // namespace
