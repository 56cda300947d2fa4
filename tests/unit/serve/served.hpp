// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A small device to serve: scratch registers, a page that can be mapped, and a copy engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/device/inproc.hpp>
#include <sluice/device/vfio_user.hpp>
#include <sluice/serve/server.hpp>
#include <sluice/vfio_user/check.hpp>

#include "wire.hpp"

namespace sluice::test {

inline constexpr std::uint64_t page = 4096;

/// BAR0: registers. Writing `go` copies `length` bytes from `source` to `target`, leaves 0 or an errno in
/// `status`, and fires MSI-X vector 0. BAR2: 16 KiB of memory, of which the second and the third page can be
/// mapped.
class CopyEngine {
  public:
    static constexpr std::uint64_t scratch = 0x00;
    static constexpr std::uint64_t source = 0x08;
    static constexpr std::uint64_t target = 0x10;
    static constexpr std::uint64_t length = 0x18;
    static constexpr std::uint64_t go = 0x1c;
    static constexpr std::uint64_t status = 0x20;
    static constexpr std::uint64_t resets = 0x24;
    static constexpr std::uint32_t vectors = 4;

    explicit CopyEngine(std::uint16_t device_id = 0x1234);
    device::inproc::Model& device() { return *model_; }

  private:
    std::uint64_t read(std::uint64_t offset, unsigned width);
    void write(std::uint64_t offset, unsigned width, std::uint64_t value);
    Result<> copy();

    std::uint8_t registers_[page] = {};
    std::unique_ptr<device::inproc::Model> model_;
};

/// Pumps a server in a thread of its own until it ends.
class Pumper {
  public:
    explicit Pumper(serve::Server& server);
    Pumper(const Pumper&) = delete;
    Pumper& operator=(const Pumper&) = delete;
    ~Pumper();

    /// While it is held, the server does not run: for looks at the device behind it. A reply orders them, but
    /// over a socket, where ThreadSanitizer does not see it.
    std::unique_lock<std::mutex> hold() { return std::unique_lock(pumping_); }

  private:
    std::mutex pumping_;
    EventFd stop_;
    std::thread thread_;
};

/// A socket's path of its own.
std::string socket_path();

/// errno of a Result, 0 when it succeeded.
template <typename T>
int code(const Result<T>& result) {
    return result ? 0 : result.error().code();
}

/// Memory with a file, as EAL's.
struct SharedPages {
    explicit SharedPages(std::size_t pages);
    std::span<std::byte> span() const { return memory.span(); }
    device::MemoryFile file(std::uint64_t offset = 0) const { return {fd.get(), offset}; }
    UniqueFd fd;
    Mapping memory;
};

} // namespace sluice::test
