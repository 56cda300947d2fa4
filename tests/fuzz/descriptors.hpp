// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Whether a fuzzed execution has lost a descriptor.
#pragma once

#include <poll.h>

#include <array>
#include <bitset>
#include <cstddef>

namespace sluice::fuzz {

/// Which of the first descriptors are open: the same before and after when none was lost. The lowest that is
/// free does not tell: what is closed at the end lies below what was lost on the way.
inline std::bitset<256> open_descriptors() {
    std::bitset<256> open;
    std::array<pollfd, open.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i].fd = static_cast<int>(i);
    ::poll(all.data(), all.size(), 0);
    for (std::size_t i = 0; i < all.size(); ++i)
        open[i] = (all[i].revents & POLLNVAL) == 0;
    return open;
}

} // namespace sluice::fuzz
