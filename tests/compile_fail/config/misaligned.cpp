// SPDX-License-Identifier: BSD-3-Clause
// A register stands at an address that its width does not divide.
// expect: a register is misaligned
#include <sluice/config/tables.hpp>

namespace config = sluice::config;

namespace {

#ifdef MISUSE
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 5, 2, 0, 0, "a reason"}});
#else
constexpr auto rows =
    config::table(8, {{"First", 0, 4, 0, 0, "a reason"}, {"Second", 6, 2, 0, 0, "a reason"}});
#endif

} // namespace

static_assert(rows.size() == 2);
