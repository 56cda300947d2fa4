// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Kernel modules: which one drives a function, and whether it is there.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/pci/sysfs.hpp>

namespace sluice::inline v1::pci {

enum class ModuleState {
    absent,  ///< no file of this kernel has it
    present, ///< its file is there, it is not loaded
    loaded,
    built_in, ///< part of the kernel image
};

/// The index that depmod left for the running kernel, read once at construction. Immutable.
class ModuleIndex {
  public:
    explicit ModuleIndex(const Roots& roots);

    /// '-' and '_' in `name` are the same.
    ModuleState state(std::string_view name) const;

    /// Modules, built-in ones included, that match a function's modalias; in the index's order, each once.
    std::vector<std::string> candidates(const std::string& modalias) const;

  private:
    std::string sys_;
    std::vector<std::string> files_;
    std::vector<std::string> built_in_;
    std::vector<std::pair<std::string, std::string>> aliases_; ///< pattern, module
};

} // namespace sluice::inline v1::pci
