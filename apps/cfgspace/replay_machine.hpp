// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The device and the kernel that a script sets up.
#pragma once

#include <set>

#include <fmt/format.h>

#include "replay.hpp"

namespace sluice::cfgspace {

/// Raw accesses and events as the lines that stand before a result.
class Lines final : public config::Observer {
  public:
    explicit Lines(std::ostream& out)
        : out_(out) {}

    void read(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        if (reads)
            out_ << fmt::format("  hw-r {:03x} {} = {:0{}x}\n", offset, width, value, 2 * width);
    }
    void written(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        if (writes)
            out_ << fmt::format("  hw-w {:03x} {} {:0{}x}\n", offset, width, value, 2 * width);
    }
    void event(std::string_view text) override { out_ << "  ev " << text << '\n'; }

    /// A message of the kernel's; the same one only once a command, and few overlaps.
    void log(const std::string& line, bool overlap);
    void new_command() {
        seen_.clear();
        overlaps_ = 0;
    }

    bool reads = false;
    bool writes = true;

  private:
    std::ostream& out_;
    std::set<std::string> seen_;
    unsigned overlaps_ = 0;
};

struct Replay::Machine {
    explicit Machine(std::ostream& out)
        : lines(out)
        , recorder(hardware, lines)
        , system(recorder, facts, lines, {}) {
        system.on_report(&report, this);
    }

    static void report(void* self, const config::Diagnostic& diagnostic);

    config::Image hardware;
    std::vector<std::uint8_t> original = std::vector<std::uint8_t>(config::extended_size);
    config::Facts facts;
    std::optional<std::pair<std::uint16_t, std::uint16_t>> ids;
    std::optional<bool> no_command_memory;
    std::optional<bool> pci_2_3;
    config::IrqType irq_type = config::IrqType::none;
    unsigned msi_limit = 0;
    Lines lines;
    config::Recorder recorder;
    config::SystemModel system;
    std::optional<config::Space> space;
};

} // namespace sluice::cfgspace
