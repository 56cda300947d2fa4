// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the main lcore does while others forward.
#pragma once

#include "session.hpp"

namespace sluice::testpmd {

/// Serves the prompt, the statistics timer and the ports' events until a signal comes (`signal_fd` becomes
/// readable), the prompt ends, or the session does. EAL and the ports are started. Forwarding is started
/// first unless the session is interactive without --auto-start.
Result<> run(Session& session, int signal_fd);

} // namespace sluice::testpmd
