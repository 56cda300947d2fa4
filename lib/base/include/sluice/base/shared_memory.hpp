// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Mappings of memory that another process may take back at any time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <sluice/base/error.hpp>
#include <sluice/base/mapping.hpp>

namespace sluice::inline v1 {

/// A mapping that absorb_bus_error() knows of.
class SharedMemory {
  public:
    /// Maps another process's file. EINVAL: the stretch is not inside it. ENOTSUP: a file system whose pages
    /// may never come (only tmpfs and hugetlbfs are taken). Others as mmap. `wake` is signalled when the
    /// memory turns out to be gone; it outlives this.
    static Result<SharedMemory> map(int fd, std::uint64_t offset, std::uint64_t size, bool writable,
                                    int wake);

    SharedMemory() noexcept = default;
    SharedMemory(SharedMemory&& other) noexcept
        : mapping_(std::move(other.mapping_))
        , span_(std::exchange(other.span_, {}))
        , slot_(std::exchange(other.slot_, nullptr)) {}
    SharedMemory& operator=(SharedMemory&& other) noexcept;
    ~SharedMemory() { release(); }

    /// The bytes that were asked for, within whole pages.
    std::span<std::byte> span() const noexcept { return span_; }
    explicit operator bool() const noexcept { return static_cast<bool>(mapping_); }

    /// The other process took the memory back; zeroes are there now.
    bool is_gone() const noexcept;

    /// Goes up with each mapping that is found gone, whosever it is.
    static std::uint64_t losses() noexcept;

    struct Slot;

  private:
    void release() noexcept;

    Mapping mapping_;
    std::span<std::byte> span_;
    Slot* slot_ = nullptr;
};

} // namespace sluice::inline v1
