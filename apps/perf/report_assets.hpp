// SPDX-License-Identifier: BSD-3-Clause
// The files of report/ and Chart.js, as the build found them.
#pragma once

#include <string>

namespace sluice::perf {

extern const std::string report_page;
extern const std::string report_style;
extern const std::string report_script;
extern const std::string report_chart;

} // namespace sluice::perf
