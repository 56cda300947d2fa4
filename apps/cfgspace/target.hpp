// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a command works on: a function of this machine, or an image in a file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>
#include <sluice/pci/sysfs.hpp>

namespace sluice::cfgspace {

/// Keeps raw writes and events as lines.
class Notes final : public config::Observer {
  public:
    void read(std::uint32_t, unsigned, std::uint32_t) override {}
    void written(std::uint32_t offset, unsigned width, std::uint32_t value) override;
    void event(std::string_view text) override;
    std::vector<std::string> take() { return std::exchange(lines_, {}); }

  private:
    std::vector<std::string> lines_;
};

/// A raw backend and the mediated space above it, with everything that they borrow.
class Target {
  public:
    /// `name` is an address (0000:01:00.0, 01:00.0), read through sysfs, or the file name of an image.
    static Result<std::unique_ptr<Target>> open(const std::string& name, config::Policy policy,
                                                const pci::Sysfs& sysfs);

    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    config::Space& space() noexcept { return *space_; }
    config::Backend& raw() noexcept { return *hardware_; }
    Notes& notes() noexcept { return notes_; }

    /// One line: address or file, class and name of the device, ids.
    const std::string& title() const noexcept { return title_; }
    /// "sysfs" or "image".
    const char* source() const noexcept { return image_ != nullptr ? "image" : "sysfs"; }
    /// Set for images, which can be written.
    config::Image* image() noexcept { return image_; }

  private:
    Target() = default;
    Result<void> open_image(const std::string& path);
    Result<void> open_function(const pci::Function& function, const pci::Sysfs& sysfs);
    Result<void> mediate(config::Policy policy, const std::string& name);

    std::unique_ptr<config::Backend> hardware_;
    config::Image* image_ = nullptr;
    config::Facts facts_;
    Notes notes_;
    std::unique_ptr<config::Recorder> recorder_;
    std::unique_ptr<config::SystemModel> system_;
    std::unique_ptr<config::Space> space_;
    std::string title_;
};

/// True if `name` has the form of an address.
bool is_address(const std::string& name);

} // namespace sluice::cfgspace
