// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The kernel's side of bind, unbind and driver_override over a made-up tree.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sluice/pci/bind.hpp>

#include "fake_sysfs.hpp"

namespace sluice::test {

class FakeKernel final : public pci::SysfsWriter {
  public:
    explicit FakeKernel(FakeSysfs& fake)
        : fake_(fake) {}

    /// Without an override, `driver` binds to `address`.
    void matches(const std::string& driver, const std::string& address) {
        matches_.insert({driver, address});
    }
    /// Probing `address` by `driver` fails with `code`.
    void refuses(const std::string& driver, const std::string& address, int code) {
        refusals_[{driver, address}] = code;
    }
    /// Every write to a path that ends so fails with `code`, and changes nothing.
    void fails(const std::string& path_end, int code) { failures_[path_end] = code; }

    /// Whatever is written to `path` (below the root), `text` is what stands there afterwards.
    void keeps(const std::string& path, const std::string& text) { kept_[path] = text; }

    Result<> write(const std::string& path, std::string_view text) override;

    /// All writes, as "PATH TEXT" with the path below the root.
    const std::vector<std::string>& log() const noexcept { return log_; }
    std::string driver_of(const std::string& address) const;
    std::string override_of(const std::string& address) const;

  private:
    Result<> bind(const std::string& driver, const std::string& address);

    FakeSysfs& fake_;
    std::set<std::pair<std::string, std::string>> matches_;
    std::map<std::pair<std::string, std::string>, int> refusals_;
    std::map<std::string, int> failures_;
    std::map<std::string, std::string> kept_;
    std::vector<std::string> log_;
};

} // namespace sluice::test
