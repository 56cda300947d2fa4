// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// An EAL for tests: no root, no hugepages, no devices.
#pragma once

#include <rte_eal.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::test {

/// Starts EAL once for the whole program.
class Eal : public ::testing::Environment {
  public:
    void SetUp() override {
        std::vector<std::string> words = {
            "test",           "--no-huge",   "--no-pci",         "-m", "64", "-l", "0", "--iova-mode=va",
            "--no-telemetry", "--no-shconf", "--log-level=error"};
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        ASSERT_GE(rte_eal_init(static_cast<int>(argv.size()), argv.data()), 0);
    }
    void TearDown() override { rte_eal_cleanup(); }
};

} // namespace sluice::test
