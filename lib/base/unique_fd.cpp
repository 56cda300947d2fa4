// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/unique_fd.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::inline v1 {

void UniqueFd::reset(int fd) noexcept {
    int old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd)
        ::close(old);
}

Result<UniqueFd> UniqueFd::duplicate() const {
    int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return fail_errno("cannot duplicate a file descriptor");
    return UniqueFd(fd);
}

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode) {
    int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0)
        return fail_errno("cannot open", path);
    return UniqueFd(fd);
}

} // namespace sluice::inline v1
