// SPDX-License-Identifier: BSD-3-Clause
// The files of report/ and Chart.js, as the build found them.
#pragma once

#include <string_view>

namespace sluice::perf {

extern const std::string_view report_page;
extern const std::string_view report_style;
extern const std::string_view report_script;
extern const std::string_view report_chart;

} // namespace sluice::perf
