// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The register that a data path writes.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include <sluice/base/endian.hpp>
#include <sluice/reg/io.hpp>

namespace sluice::inline v1::reg {

/// A register's address, taken once at queue start. A window that is not mapped (a region behind a
/// socket) is written by a call instead. One thread rings one doorbell.
template <std::unsigned_integral Word>
class Doorbell {
  public:
    Doorbell() noexcept = default;

    /// `io` outlives the doorbell; `offset` is a multiple of the word's size and inside the window.
    Doorbell(Io& io, std::size_t offset) noexcept
        : at_(reinterpret_cast<volatile Word*>(io.pointer(offset, sizeof(Word))))
        , io_(&io)
        , offset_(offset) {}

    /// Publishes all earlier memory writes (descriptors), then writes `value`.
    void ring(Word value) const noexcept {
        publish();
        if (at_ != nullptr) [[likely]]
            *at_ = to_little(value);
        else
            io_->write(offset_, sizeof(Word), value);
    }

  private:
    volatile Word* at_ = nullptr;
    Io* io_ = nullptr;
    std::size_t offset_ = 0;
};

} // namespace sluice::inline v1::reg
