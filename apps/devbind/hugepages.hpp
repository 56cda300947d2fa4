// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// --hugepages.
#pragma once

#include "devbind.hpp"

namespace sluice::devbind {

/// Shows the pools, or makes one hold what `options.hugepages` says: on its node, else on `usual_node`,
/// else on the first one. The exit code.
int hugepages(const Options& options, Context& context, int usual_node);

} // namespace sluice::devbind
