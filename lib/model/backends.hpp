// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The back-ends that make_backend() chooses from.
#pragma once

#include <atomic>
#include <cstdint>

#include <sluice/model/backend.hpp>

namespace sluice::inline v1::model {

Result<std::unique_ptr<Backend>> make_loop(const BackendSetup& setup);
Result<std::unique_ptr<Backend>> make_pair(const BackendSetup& setup);
Result<std::unique_ptr<Backend>> make_pcap(const BackendSetup& setup);
Result<std::unique_ptr<Backend>> make_tap(const BackendSetup& setup);
Result<std::unique_ptr<Backend>> make_gen(const BackendSetup& setup);

/// One writer, any reader.
class Count {
  public:
    void add(std::uint64_t n) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

} // namespace sluice::inline v1::model
