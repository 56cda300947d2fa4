// SPDX-License-Identifier: BSD-3-Clause
// Small reads from sysfs and procfs, where a missing file is an ordinary answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::inline v1::pci::files {

/// The whole file, or nothing when it cannot be read.
std::optional<std::string> read(const std::string& path);
/// The file without blanks and line ends around it; empty when it cannot be read.
std::string read_line(const std::string& path);
/// A number as the kernel writes it, decimal or with 0x before it.
std::optional<std::uint64_t> parse_number(std::string_view text);
std::optional<std::uint64_t> read_number(const std::string& path);
/// What a link holds; empty when it is no link.
std::string link_target(const std::string& path);
/// The last component of a link's target; empty when it is no link.
std::string link_name(const std::string& path);
/// Names in a folder, sorted, without "." and "..".
std::vector<std::string> list(const std::string& path);
/// "FOLDER/NAME".
std::string below(const std::string& folder, std::string_view name);
bool exists(const std::string& path);
/// A folder itself, not a link to one.
bool is_folder(const std::string& path);

std::string_view trim(std::string_view text);
/// The words of a line, split at blanks.
std::vector<std::string_view> words(std::string_view line);
std::vector<std::string_view> lines(std::string_view text);

} // namespace sluice::inline v1::pci::files
