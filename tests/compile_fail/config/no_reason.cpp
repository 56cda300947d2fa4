// SPDX-License-Identifier: BSD-3-Clause
// A register says no reason for its masks.
// expect: a register has a name and a reason
#include <sluice/config/tables.hpp>

namespace config = sluice::config;

namespace {

#ifdef MISUSE
constexpr auto rows = config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 4, 4, 0, 0, ""}});
#else
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 4, 4, 0, 0, "a reason"}});
#endif

} // namespace

static_assert(rows.size() == 2);
