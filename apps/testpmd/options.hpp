// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The command line: ours before `--`, EAL's before `--`, and the options after it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>

#include "settings.hpp"

namespace sluice::testpmd {

/// Splits the arguments that follow the program's name. `-a X` (or `--allow X`) and `--vdev NAME[,ARGS]`
/// become device URIs in the order in which they stand; the rest before `--` is EAL's.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments);

/// The text of `--help`.
std::string help_text();

/// The URI that `-a X` means: a PCI address is short for `pci:ADDRESS`, a URI stands for itself.
Result<std::string> device_uri(std::string_view text);

/// What EAL's own PCI bus is to open for `uri`, as `-a` takes it: an `ethdev:` URI's address and devargs,
/// or the address of a `pci:` URI for which `through_ethdev` is true. Empty: nothing.
std::string eal_pci_device(std::string_view uri, const std::function<bool(std::string_view)>& through_ethdev);

/// EAL's argument list, the program's name first: the user's, then `-a` for exactly the PCI devices that
/// EAL is to open, or `--no-pci` when there is none.
std::vector<std::string> eal_arguments(std::string_view program, const CommandLine& line,
                                       const std::function<bool(std::string_view)>& through_ethdev);

} // namespace sluice::testpmd
