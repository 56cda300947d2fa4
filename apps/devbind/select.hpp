// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// From what the operator wrote to functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "inventory.hpp"

namespace sluice::devbind {

/// The functions that `words` name, each once: addresses, interfaces, and wildcards over the devices of the
/// status. With `allow_dpdk`, "dpdk" names all that userspace drivers hold. An error (code 0) on a word
/// that names none.
Result<std::vector<pci::Address>> select(std::span<const Device> devices, std::span<const std::string> words,
                                         bool allow_dpdk);

/// True when `word` is an address or an interface's name: a forgotten driver.
bool looks_like_device(std::span<const Device> devices, const std::string& word);

} // namespace sluice::devbind
