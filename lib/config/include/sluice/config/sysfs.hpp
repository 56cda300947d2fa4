// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Configuration space as a file of sysfs shows it, to look at.
#pragma once

#include <string>

#include <sluice/base/unique_fd.hpp>
#include <sluice/config/backend.hpp>

namespace sluice::inline v1::config {

/// Reads /sys/bus/pci/devices/BDF/config. Every write fails with EROFS: the file would reach hardware past
/// the driver that holds the function.
class SysfsBackend final : public Backend {
  public:
    /// `path` is the file. EACCES where only its first 64 bytes may be read: the rest is for root.
    static Result<SysfsBackend> open(const std::string& path);

    std::uint32_t size() const noexcept override { return size_; }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override;
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override;

  private:
    SysfsBackend(UniqueFd fd, std::uint32_t size, std::string path) noexcept
        : fd_(std::move(fd))
        , size_(size)
        , path_(std::move(path)) {}

    UniqueFd fd_;
    std::uint32_t size_;
    std::string path_;
};

} // namespace sluice::inline v1::config
