// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Made-up functions for tests: an image built capability by capability, a model of the kernel, and a log of
/// what happened.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>

namespace sluice::testing {

/// Writes and events as short lines: "004 2 0006", "reset".
class Log final : public config::Observer {
  public:
    void read(std::uint32_t, unsigned, std::uint32_t) override { ++reads; }
    void written(std::uint32_t offset, unsigned width, std::uint32_t value) override;
    void event(std::string_view text) override { lines.emplace_back(text); }
    std::vector<std::string> take() { return std::exchange(lines, {}); }

    std::vector<std::string> lines;
    unsigned reads = 0;
};

inline constexpr config::Policy every_policy[] = {config::Policy::kernel_6_1, config::Policy::kernel_6_12,
                                                  config::Policy::strict};

struct Function {
    explicit Function(std::uint32_t size = config::conventional_size);
    Function(const Function&) = delete;

    /// Appends a capability to the standard list; `body` begins behind id and next.
    Function& capability(std::uint8_t offset, std::uint8_t id, std::initializer_list<std::uint8_t> body = {});
    /// Appends to the extended list; the first one must stand at 100h.
    Function& extended(std::uint16_t offset, std::uint16_t id,
                       std::initializer_list<std::uint32_t> body = {});
    Function& bytes(std::uint32_t offset, std::initializer_list<std::uint8_t> data);
    /// Hardware lets no bit of [offset, offset + length) change.
    Function& read_only(std::uint32_t offset, std::uint32_t length);

    /// Hardware clears `bits` of the byte when they are written as one, and lets them be otherwise.
    Function& clears(std::uint32_t offset, std::uint8_t bits);

    /// Builds the Space; the test fails if that fails.
    config::Space& open(config::Policy policy = config::Policy::strict);

    std::uint32_t hardware(std::uint32_t offset, unsigned width);
    void set_hardware(std::uint32_t offset, unsigned width, std::uint32_t value);

    config::Image image;
    config::Facts facts;
    Log log;
    config::Recorder recorder;
    config::SystemModel system;
    std::optional<config::Space> space;

  private:
    std::uint32_t last_ = 0x34;
    std::uint32_t last_extended_ = 0;
};

/// A seeded image: random bytes with plausible, damaged or absurd lists in them.
std::vector<std::uint8_t> random_image(std::uint64_t seed);

} // namespace sluice::testing
