// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A processor for the loop that is measured.
#pragma once

#include <sched.h>

namespace vhost_table {

/// This thread runs before all others, where it may (root): what else the machine does is not measured.
inline void take_the_processor() noexcept {
    const sched_param priority{.sched_priority = 10};
    static_cast<void>(::sched_setscheduler(0, SCHED_FIFO, &priority));
}

} // namespace vhost_table
