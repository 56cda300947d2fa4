// SPDX-License-Identifier: BSD-3-Clause
// A register is three bytes wide.
// expect: a register is 1, 2 or 4 bytes wide
#include <sluice/config/tables.hpp>

namespace config = sluice::config;

namespace {

#ifdef MISUSE
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 6, 3, 0, 0, "a reason"}});
#else
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 4, 4, 0, 0, "a reason"}});
#endif

} // namespace

static_assert(rows.size() == 2);
