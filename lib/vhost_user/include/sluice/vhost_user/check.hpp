// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Whether a message is what its number says it is.
#pragma once

#include <sluice/vhost_user/messages.hpp>

namespace sluice::inline v1::vhost_user {

/// What is answered to a request whatever was negotiated.
bool has_reply(Request request) noexcept;

/// 0, or why a front-end's message cannot be served: EPROTO: another version, or a reply. EOPNOTSUPP: not
/// known here. EINVAL: of another size, or with other descriptors, than such a message has. The message's own
/// fault otherwise.
int check(const Message& message) noexcept;

} // namespace sluice::inline v1::vhost_user
