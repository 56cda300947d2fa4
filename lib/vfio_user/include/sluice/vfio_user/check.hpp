// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Is a message what its command says it is?
#pragma once

#include <sluice/vfio_user/channel.hpp>
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::vfio_user {

/// What to refuse a request from `sender` with; 0 when its sizes, counts and descriptors are right. Says
/// nothing of addresses, indices or the device. The errno: the message's own fault first; EINVAL for a type
/// that is no command, a size that is not the command's, a count that is not the size's, an argsz that is
/// less than the fixed part, more descriptors than the command takes or `limits` allow; E2BIG for data beyond
/// max_data_xfer_size; EOPNOTSUPP for a command that does not exist or is not this side's to send.
int check_request(const Message& message, Sender sender, const Limits& limits) noexcept;

/// EPROTO when `reply` cannot be an answer to `request`: it is no reply, of another id or command, or not of
/// that command's sizes. The errno that the peer sent, when it is an error reply (EIO for a zero). 0
/// otherwise.
int check_reply(const Message& reply, const Header& request, const Limits& limits) noexcept;

} // namespace sluice::inline v1::vfio_user
