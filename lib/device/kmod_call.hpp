// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A call of sluice_pci.
#pragma once

#include <sys/ioctl.h>

#include <cstdint>
#include <string>
#include <utility>

#include <sluice/base/error.hpp>

#include "sluice_pci_uapi.h"

namespace sluice::inline v1::device {

/// Makes a call that answers 0, with the argument's size filled in. `what` says what was tried.
template <typename Argument>
Result<> kmod_call(int fd, unsigned long request, Argument& argument, const char* what,
                   std::string object = {}) {
    argument.size = static_cast<std::uint32_t>(sizeof argument);
    if (::ioctl(fd, request, &argument) < 0)
        return fail_errno(what, std::move(object));
    return {};
}

} // namespace sluice::inline v1::device
