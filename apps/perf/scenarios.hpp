// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What is measured, as data. Axes stand in scenarios.json; drivers come from the registry, and the forms of
/// their devices from lib/model: so a new driver has its scenarios.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::perf {

struct Scenario {
    std::string id;           ///< "virtio-packed/avx2/fwd/64/b32/r256": all fields that distinguish it
    std::string driver;       ///< of the registry: "virtio"
    std::string variant;      ///< of the device: "packed"; a model::RingNic's name
    std::string isa;          ///< best that may be used: "scalar", "avx2"
    std::string path;         ///< "rx", "tx", "fwd"; "idle": a poll that finds nothing
    std::uint16_t frame = 64; ///< bytes
    std::uint16_t burst = 32;
    std::uint16_t ring = 256;  ///< descriptors
    std::uint32_t pool = 8191; ///< mbufs
    std::string transport;     ///< "model"
    bool full = false;         ///< its rates are measured by --full when no scenario is named
    bool ci = false;           ///< belongs to what every change is gated by
    double margin = 0.02;      ///< of a ratio of times
};

/// All of them, those of a driver together. Always the same in one build.
std::vector<Scenario> scenarios();

std::optional<Scenario> scenario_named(std::string_view id);

} // namespace sluice::perf
