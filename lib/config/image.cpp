// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/image.hpp>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sluice/base/unique_fd.hpp>
#include <unistd.h>

#include "state.hpp"

namespace sluice::inline v1::config {

Image::Image(std::uint32_t size)
    : size_(size)
    , bytes_(extended_size)
    , write_mask_(extended_size, 0xff)
    , clear_mask_(extended_size) {}

Result<Image> Image::load(const std::string& path) {
    auto fd = open_file(path, O_RDONLY, 0);
    if (!fd)
        return propagate<UniqueFd>(std::move(fd));
    Image image;
    std::size_t length = 0;
    while (length < extended_size) {
        const ssize_t count = ::read(fd->get(), image.bytes_.data() + length, extended_size - length);
        if (count < 0)
            return fail_errno("cannot read an image of configuration space", path);
        if (count == 0)
            break;
        length += static_cast<std::size_t>(count);
    }
    if (length < header::end)
        return fail(EINVAL, "too short for an image of configuration space: give 256 or 4096 bytes", path);
    image.size_ = length == extended_size ? extended_size : conventional_size;
    std::fill(image.bytes_.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(length, image.size_)),
              image.bytes_.end(), std::uint8_t{0});
    return image;
}

void Image::resize(std::uint32_t size) {
    size_ = size;
}

int Image::fail_code(int status) noexcept {
    if (status <= 0)
        return -status;
    switch (status) {
    case 0x81:
        return ENOENT;
    case 0x83:
        return ENOTTY;
    case 0x86:
        return ENODEV;
    case 0x87:
        return EFAULT;
    case 0x88:
        return EIO;
    case 0x89:
        return ENOSPC;
    default:
        return ERANGE;
    }
}

void Image::inject_errors(std::uint32_t offset, std::uint32_t length, int code, bool reads, bool writes) {
    fault_ = {offset, length, fail_code(code), reads, writes};
}

std::optional<int> Image::fault(std::uint32_t offset, unsigned width, bool write) const noexcept {
    if (fault_.length == 0 || !(write ? fault_.writes : fault_.reads))
        return std::nullopt;
    if (offset + width <= fault_.offset || offset >= fault_.offset + fault_.length)
        return std::nullopt;
    return fault_.code;
}

Result<std::uint32_t> Image::read(std::uint32_t offset, unsigned width) {
    if (offset + width > extended_size)
        return fail(EINVAL, "there is no configuration space beyond 4095");
    if (auto code = fault(offset, width, false))
        return fail(*code, "the image was told to fail this access");
    if (offset >= size_)
        return ones(width);
    return sluice::config::load(&bytes_[offset], width);
}

Result<void> Image::write(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (offset + width > extended_size)
        return fail(EINVAL, "there is no configuration space beyond 4095");
    if (auto code = fault(offset, width, true))
        return fail(*code, "the image was told to fail this access");
    if (offset >= size_)
        return {};
    for (unsigned index = 0; index < width; ++index) {
        const auto byte = static_cast<std::uint8_t>(value >> (8 * index));
        const std::uint8_t mask = write_mask_[offset + index];
        std::uint8_t& target = bytes_[offset + index];
        target = static_cast<std::uint8_t>((target & ~mask) | (byte & mask));
        target = static_cast<std::uint8_t>(target & ~(byte & clear_mask_[offset + index]));
    }
    return {};
}

} // namespace sluice::inline v1::config
