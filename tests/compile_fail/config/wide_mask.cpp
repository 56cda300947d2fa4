// SPDX-License-Identifier: BSD-3-Clause
// A mask has bits that its register has not.
// expect: a mask is wider than its register
#include <sluice/config/tables.hpp>

namespace config = sluice::config;

namespace {

#ifdef MISUSE
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 4, 1, 0, 0x100, "a reason"}});
#else
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 4, 1, 0, 0x80, "a reason"}});
#endif

} // namespace

static_assert(rows.size() == 2);
