// SPDX-License-Identifier: BSD-3-Clause
// Who may open a file.
#pragma once

#include <string>

#include <sluice/pci/preflight.hpp>

namespace sluice::inline v1::pci {

/// True when a process of `environment` may read and write the file or folder, by its mode. The process
/// itself is judged by the kernel, which knows access lists too.
bool may_use(const std::string& path, const Environment& environment);

/// "owner root:root, mode 0600".
std::string describe_access(const std::string& path);

} // namespace sluice::inline v1::pci
