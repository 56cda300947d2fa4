// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Observing raw accesses and effects, in the order in which they happen.
#pragma once

#include <cstdint>
#include <string_view>

#include <sluice/config/backend.hpp>

namespace sluice::inline v1::config {

/// Receives what a Recorder or a SystemModel sees. Called from inside the access; one thread at a time.
class Observer {
  public:
    virtual ~Observer() = default;
    virtual void read(std::uint32_t offset, unsigned width, std::uint32_t value) = 0;
    virtual void written(std::uint32_t offset, unsigned width, std::uint32_t value) = 0;
    /// Something other than an access, such as "reset" or "set_power D3 ret=0 now=D3".
    virtual void event(std::string_view text) = 0;
};

/// A Backend in front of another that tells an Observer about each access that succeeds. Borrows both.
class Recorder final : public Backend {
  public:
    Recorder(Backend& inner, Observer& observer) noexcept
        : inner_(inner)
        , observer_(observer) {}

    std::uint32_t size() const noexcept override { return inner_.size(); }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override;
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override;

  private:
    Backend& inner_;
    Observer& observer_;
};

} // namespace sluice::inline v1::config
