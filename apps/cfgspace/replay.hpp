// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Scripts of accesses to made-up or recorded devices, and what they answer.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>

namespace sluice::cfgspace {

/// The words of one line of a script.
using Words = std::vector<std::string>;

/// Runs a script line by line against an image and a model of the kernel around it. The language and the form
/// of the output are in README.md beside this file.
class Replay {
  public:
    Replay(config::Policy policy, std::ostream& out);
    ~Replay();

    /// 0, or 2 after "error line N: …" on `errors`. File names in the script are relative to `folder`.
    int run(std::istream& script, std::ostream& errors, const std::string& folder = {});

  private:
    struct Machine;
    struct Failure {
        std::string reason;
    };
    using Command = void (Replay::*)(const Words&);
    struct Entry {
        std::string_view name;
        Command run;
        std::size_t least;
    };
    static const Entry commands[];

    void execute(const Words& words);

    // The device (replay_device.cpp).
    void make_new(const Words&);
    void echo(const Words&);
    void image(const Words&);
    void hex(const Words&);
    void cfgsize(const Words&);
    void wmask(const Words&);
    void w1c(const Words&);
    void vf(const Words&);
    void ids(const Words&);
    void nocmdmem(const Words&);
    void irq(const Words&);
    void nointx(const Words&);
    void config_intx(const Words&);
    void res(const Words&);
    void pci23(const Words&);
    void vpd(const Words&);
    void reset_supported(const Words&);
    void no_d3(const Words&);
    void pcie_perf(const Words&);
    void sriov_active(const Words&);
    void power(const Words&);
    void hwerr(const Words&);
    void trace(const Words&);
    void init(const Words&);
    void irqtype(const Words&);
    void qmax(const Words&);
    void hwset(const Words&);
    void hwget(const Words&);
    void mapset(const Words&);

    // Accesses and pictures (replay_access.cpp).
    void read(const Words&);
    void write(const Words&);
    void write_bytes(const Words&);
    void read_all(const Words&);
    void map(const Words&);
    void vconfig(const Words&);
    void hwdiff(const Words&);
    void state(const Words&);
    void perms(const Words&);

    config::Space& space();
    void write_data(std::uint32_t offset, const std::vector<std::uint8_t>& data);
    std::string file(const std::string& name) const;
    static std::uint64_t number(const std::string& word);
    static std::vector<std::uint8_t> bytes(const Words& words, std::size_t from);
    static bool flag(const Words& words);
    void mask(const Words& words, std::span<std::uint8_t> target, std::uint8_t all);

    config::Policy policy_;
    std::ostream& out_;
    std::string folder_;
    std::unique_ptr<Machine> machine_;
};

} // namespace sluice::cfgspace
