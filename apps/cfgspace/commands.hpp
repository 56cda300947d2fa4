// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The subcommands. Each returns the program's exit status: 0 done, 1 the answer is no, 2 could not run.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include <sluice/config/policy.hpp>
#include <sluice/pci/sysfs.hpp>

namespace sluice::cfgspace {

inline constexpr int exit_done = 0;
inline constexpr int exit_no = 1;
inline constexpr int exit_wrong = 2;

enum class Form { text, json, markdown };

/// What every command needs.
struct Context {
    config::Policy policy = config::Policy::strict;
    Form form = Form::text;
    bool color = false;
    pci::Sysfs sysfs;
    std::ostream& out;
    std::ostream& errors;
};

int show(const Context& context, const std::string& target, bool only_differences);
int map(const Context& context, const std::string& target, bool bits);
int perms(const Context& context, const std::string& filter);
int rules(const Context& context);
int floor(const Context& context, const std::string& target);
int diff(const Context& context, const std::string& left, const std::string& right);
int read(const Context& context, const std::string& target, const std::vector<std::string>& registers);
int write(const Context& context, const std::string& target, const std::vector<std::string>& assignments,
          bool save);
int replay(const Context& context, const std::string& script);

/// Says on `errors` what went wrong, and returns 2.
int complain(const Context& context, const std::string& message);

} // namespace sluice::cfgspace
