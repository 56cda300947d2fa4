// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/sysfs.hpp>

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "state.hpp"

namespace sluice::inline v1::config {

Result<SysfsBackend> SysfsBackend::open(const std::string& path) {
    auto fd = open_file(path, O_RDONLY, 0);
    if (!fd)
        return propagate(std::move(fd));
    std::uint8_t byte;
    const auto there = [&](off_t offset) { return ::pread(fd->get(), &byte, 1, offset) == 1; };
    if (!there(conventional_size - 1)) {
        if (there(0))
            return fail(EACCES, "only the first bytes of configuration space may be read: be root", path);
        return fail(EIO, "configuration space cannot be read: the function does not answer", path);
    }
    const std::uint32_t size = there(extended_size - 1) ? extended_size : conventional_size;
    return SysfsBackend(std::move(*fd), size, path);
}

Result<std::uint32_t> SysfsBackend::read(std::uint32_t offset, unsigned width) {
    std::uint8_t bytes[4];
    const ssize_t count = ::pread(fd_.get(), bytes, width, static_cast<off_t>(offset));
    if (count == static_cast<ssize_t>(width))
        return load(bytes, width);
    if (count < 0)
        return fail_errno("configuration space cannot be read", path_);
    return fail(EIO, "configuration space ends early", path_);
}

Result<void> SysfsBackend::write(std::uint32_t, unsigned, std::uint32_t) {
    return fail(EROFS, "sysfs is for looking: bind the function to vfio-pci or sluice-pci to write", path_);
}

} // namespace sluice::inline v1::config
