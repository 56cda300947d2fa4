// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Devices in another process, by the vfio-user protocol. QEMU, docs/interop/vfio-user.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/config/policy.hpp>
#include <sluice/config/recorder.hpp>
#include <sluice/device/device.hpp>

namespace sluice::inline v1::device {

struct RemoteOptions {
    /// How long a reply may take. A server that takes longer is given up: the device is gone then.
    int timeout_ms = 5000;

    /// The space's iova_offset(): not 0, so that an IOVA taken for a pointer faults.
    std::uint64_t iova_offset = std::uint64_t{1} << 47;

    /// What this side says that it takes in one message.
    std::uint32_t max_msg_fds = 64;
    std::uint64_t max_data_xfer_size = 1 << 20;

    /// Offers the server a socket of its own for its requests. A call then waits for two, and takes longer.
    bool twin_socket = false;

    config::Policy policy = config::Policy::strict; ///< of the config space on this side
    config::Observer* observer = nullptr;           ///< as OpenOptions::observer
};

/// Opens the device that is served at the socket `path`. ENOENT, ECONNREFUSED: nobody serves there.
/// ECONNRESET: the server has another client, or does not want this one. EPROTO: no vfio-user, or no PCI
/// device.
///
/// Memory that is mapped in its space() with its file is mapped by the server; other memory is reached by
/// messages, which are answered while a call of the device waits for its reply, and by service(). When the
/// server ends, or breaks the protocol, or does not answer in time, the device is lost: every call fails at
/// once (ECONNRESET, EPROTO, ETIMEDOUT), events_fd() is readable, and mappings of regions stay what they are,
/// with nobody behind them. reset() takes another server at the same path: memory, interrupts, COMMAND and
/// BARs are as they were.
/// Threading: as Device; space() may be used by any thread.
Result<std::unique_ptr<Device>> connect(const std::string& path, const RemoteOptions& options = {});

/// The same over a connected stream socket; `name` is the device's, and when it is lost it is gone.
Result<std::unique_ptr<Device>> connect(UniqueFd socket, const std::string& name,
                                        const RemoteOptions& options = {});

} // namespace sluice::inline v1::device
