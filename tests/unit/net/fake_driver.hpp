// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A driver that writes down what Port asks of it, and fails when it is told to.
#pragma once

#include <string>
#include <vector>

#include <sluice/net/driver.hpp>

namespace net_test {

using namespace sluice;

/// What happened, and what shall; outlives the driver.
struct Script {
    std::vector<std::string> calls;
    std::string fail; ///< the call that fails next
    net::Config config;
    net::RxFilter filter;
    net::Stats totals;
    std::uint64_t special = 0; ///< the one extended statistic
    net::Events events;
    unsigned bursts = 0;
};

std::unique_ptr<net::Driver> make_driver(Script& script);

} // namespace net_test
