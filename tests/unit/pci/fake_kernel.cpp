// SPDX-License-Identifier: BSD-3-Clause
#include "fake_kernel.hpp"

#include <cerrno>

namespace sluice::test {

std::string FakeKernel::driver_of(const std::string& address) const {
    return fake_.sysfs().find(*pci::Address::parse(address))->driver;
}

std::string FakeKernel::override_of(const std::string& address) const {
    return fake_.sysfs().find(*pci::Address::parse(address))->driver_override;
}

Result<> FakeKernel::bind(const std::string& driver, const std::string& address) {
    if (!driver_of(address).empty())
        return fail(EBUSY, "bound already", address);
    std::string forced = override_of(address);
    if (forced.empty() ? !matches_.contains({driver, address}) : forced != driver)
        return fail(ENODEV, "no match", address);
    if (auto refusal = refusals_.find({driver, address}); refusal != refusals_.end())
        return fail(refusal->second, "probe failed", address);
    fake_.set_driver(address, driver);
    return {};
}

Result<> FakeKernel::write(const std::string& path, std::string_view text) {
    std::string below = path.substr(fake_.root().size() + 1);
    std::string value(text);
    log_.push_back(below + ' ' + value);
    for (const auto& [end, code] : failures_) {
        if (path.ends_with(end))
            return fail(code, "made to fail", path);
    }
    std::string_view folder(below);
    folder.remove_suffix(below.size() - below.rfind('/'));
    std::string owner(folder.substr(folder.rfind('/') + 1));
    if (below.ends_with("/driver_override"))
        fake_.write(below, text == "\n" ? "(null)\n" : value + '\n');
    else if (below.ends_with("/bind"))
        return bind(owner, value);
    else if (below.ends_with("/unbind") && driver_of(value) == owner)
        fake_.set_driver(value, {});
    else if (below.ends_with("/unbind"))
        return fail(ENODEV, "not bound here", path);
    else
        fake_.write(below, kept_.contains(below) ? kept_[below] : value + '\n');
    return {};
}

} // namespace sluice::test
