// SPDX-License-Identifier: BSD-3-Clause
// Two registers share a byte.
// expect: registers overlap or are out of order
#include <sluice/config/tables.hpp>

namespace config = sluice::config;

namespace {

#ifdef MISUSE
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 3, 1, 0, 0, "a reason"}});
#else
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 4, 1, 0, 0, "a reason"}});
#endif

} // namespace

static_assert(rows.size() == 2);
