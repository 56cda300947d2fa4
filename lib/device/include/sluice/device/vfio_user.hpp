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

/// A Device whose server is another process. Memory that is mapped in space() with its file is mapped by the
/// server; other memory is reached by messages, which are answered while a call of this device waits for its
/// reply, and by service(). When the server ends, or breaks the protocol, or does not answer in time, every
/// call fails at once (ECONNRESET, EPROTO, ETIMEDOUT), the eventfd of Irq::request is signalled, and mappings
/// of regions stay what they are, with nobody behind them.
/// Threading: as Device; space() and service() may be used by any thread.
class RemoteDevice : public Device {
  public:
    /// Readable when service() has something to do; −1 when the server is gone. With a twin socket, that one.
    virtual int events_fd() const noexcept = 0;

    /// Answers what the server has asked, without waiting for more. The error that ended the connection, if
    /// one has.
    virtual Result<> service() = 0;

    virtual bool connected() const noexcept = 0;

    /// True once somebody serves at the path of a device whose server is gone: it is connected to, and
    /// reconnect() does the rest. Does not block.
    virtual bool returned() = 0;

    /// Connects to the same path once more: the memory is mapped again, interrupts are turned on as they
    /// were, COMMAND and the BARs of config space are as they were. The device itself was reset: whoever
    /// drives it starts it anew, and maps its regions again. ESTALE: another device is there now. ENOTSUP: it
    /// was not opened by path. Others as connect().
    virtual Result<> reconnect() = 0;

  protected:
    using Device::Device;
};

/// Opens the device that is served at the socket `path`. ENOENT, ECONNREFUSED: nobody serves there.
/// ECONNRESET: the server has another client, or does not want this one. EPROTO: no vfio-user, or no PCI
/// device.
Result<std::unique_ptr<RemoteDevice>> connect(const std::string& path, const RemoteOptions& options = {});

/// The same over a connected stream socket; `name` is the device's.
Result<std::unique_ptr<RemoteDevice>> connect(UniqueFd socket, const std::string& name,
                                              const RemoteOptions& options = {});

} // namespace sluice::inline v1::device
