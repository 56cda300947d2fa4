// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The one form of a JSON answer.
#pragma once

#include <ostream>

#include <nlohmann/json.hpp>

namespace sluice::cfgspace {

/// One object with the program's name, the form's number and the list of rows.
inline void print_json(std::ostream& out, nlohmann::ordered_json rows) {
    nlohmann::ordered_json answer;
    answer["program"] = "sluice-cfgspace";
    answer["format"] = 1;
    answer["rows"] = std::move(rows);
    out << answer.dump(2) << '\n';
}

} // namespace sluice::cfgspace
