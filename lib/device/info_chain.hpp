// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// VFIO's answers of growing size: a struct followed by a chain of capabilities.
#pragma once

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::device {

/// An answer to a VFIO info ioctl whose struct is `Info`, with the capabilities behind it.
template <typename Info>
class InfoChain {
  public:
    explicit InfoChain(std::vector<std::byte> bytes)
        : bytes_(std::move(bytes)) {}

    /// Asks `fd` twice if the answer is longer than `Info`. `in` holds the question.
    static Result<InfoChain> ask(int fd, unsigned long request, Info in, const char* what) {
        in.argsz = sizeof(Info);
        Info first = in;
        if (::ioctl(fd, request, &first) != 0)
            return fail_errno(what);
        InfoChain answer(std::vector<std::byte>(std::max<std::size_t>(first.argsz, sizeof(Info))));
        in.argsz = static_cast<decltype(in.argsz)>(answer.bytes_.size());
        std::memcpy(answer.bytes_.data(), &in, sizeof in);
        if (::ioctl(fd, request, answer.bytes_.data()) != 0)
            return fail_errno(what);
        return answer;
    }

    Info head() const {
        Info info;
        std::memcpy(&info, bytes_.data(), sizeof info);
        return info;
    }

    /// Where capability `id` begins, in bytes from the answer's start, if it is there and its struct of
    /// `size` bytes fits. The chain is bounded by its own length.
    std::optional<std::size_t> find(std::uint16_t id, std::size_t size) const {
        std::size_t at = head().cap_offset;
        for (std::size_t steps = 0; steps < bytes_.size() / sizeof(vfio_info_cap_header); ++steps) {
            if (at < sizeof(Info) || at + sizeof(vfio_info_cap_header) > bytes_.size())
                return std::nullopt;
            const auto header = read<vfio_info_cap_header>(at);
            if (header.id == id)
                return at + size <= bytes_.size() ? std::optional(at) : std::nullopt;
            at = header.next;
        }
        return std::nullopt;
    }

    template <typename T>
    T read(std::size_t at) const {
        T value; // no braces: some of these structs end in an array of no length, which clang rejects in them
        std::memset(static_cast<void*>(&value), 0, sizeof value);
        if (at + sizeof value <= bytes_.size())
            std::memcpy(static_cast<void*>(&value), bytes_.data() + at, sizeof value);
        return value;
    }

    /// `count` structs of type T from `at`, as many as are there.
    template <typename T>
    std::vector<T> list(std::size_t at, std::size_t count) const {
        std::vector<T> values;
        for (; count > 0 && at + sizeof(T) <= bytes_.size(); --count, at += sizeof(T))
            values.push_back(read<T>(at));
        return values;
    }

  private:
    std::vector<std::byte> bytes_;
};

} // namespace sluice::inline v1::device
