// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Ownership of a memory mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <sluice/base/error.hpp>

namespace sluice::inline v1 {

/// Owns one mmap(2) mapping and unmaps it. Empty is a null pointer. Not thread-safe.
class Mapping {
  public:
    Mapping() noexcept = default;
    Mapping(Mapping&& other) noexcept
        : data_(std::exchange(other.data_, nullptr))
        , size_(std::exchange(other.size_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    /// Maps `size` bytes of `fd` from `offset` (bytes, page-aligned), shared, with mmap's `prot`.
    static Result<Mapping> shared(int fd, std::size_t size, std::uint64_t offset, int prot);

    /// Maps `size` bytes of zeroed private memory, readable and writable.
    static Result<Mapping> anonymous(std::size_t size);

    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    std::span<std::byte> span() const noexcept { return {data_, size_}; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

    void reset() noexcept;

  private:
    Mapping(std::byte* data, std::size_t size) noexcept
        : data_(data)
        , size_(size) {}

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace sluice::inline v1
