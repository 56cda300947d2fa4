// SPDX-License-Identifier: BSD-3-Clause
#include "devbind.hpp"

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <span>

#include <fmt/format.h>

#include <sluice/pci/use.hpp>

#include "claims.hpp"
#include "hugepages.hpp"
#include "report.hpp"
#include "select.hpp"

namespace sluice::devbind {

namespace {

// One run: the options, the world, and what was found in it.
class Run {
  public:
    Run(const Options& options, Context& context)
        : options_(options)
        , context_(context) {}

    int all() {
        if (!look())
            return exit_wrong;
        if (!options_.devices.empty()) {
            auto selected = select(devices_, options_.devices, options_.act && options_.driver.empty());
            if (!selected) {
                complain(selected.error().message());
                return exit_wrong;
            }
            selected_ = std::move(*selected);
        }
        if (options_.act) {
            if (int code = act(); code != exit_done)
                return code;
        }
        int code = options_.hugepages ? hugepages(options_, context_, first_node()) : exit_done;
        if (code != exit_wrong)
            show();
        return code;
    }

  private:
    bool look() {
        auto devices = take_inventory(context_.sysfs);
        if (!devices) {
            complain(devices.error().message());
            return false;
        }
        devices_ = std::move(*devices);
        return true;
    }

    const Device& device(const pci::Address& address) const {
        return *std::ranges::find(devices_, address, [](const Device& one) { return one.function.address; });
    }

    void complain(std::string_view text) { context_.err << "sluice-devbind: " << text << '\n'; }
    void notice(std::string_view text) { context_.err << "Notice: " << text << '\n'; }

    int act() {
        std::vector<pci::Change> changes;
        if (int code = plan(changes); code != exit_done)
            return code;
        if (int code = refuse_used(); code != exit_done)
            return code;
        if (int code = allow(); code != exit_done)
            return code;
        pci::Binder binder(context_.sysfs, context_.writer);
        for (const auto& change : changes) {
            if (auto checked = binder.check(change); !checked) {
                // Nothing was tried, so that errno's own words would only mislead.
                complain(fmt::format("{}: {}", checked.error().object(), checked.error().text()));
                return checked.error().code() == ENOENT ? exit_wrong : exit_refused;
            }
        }
        if (!options_.dry_run) {
            if (auto applied = binder.apply(changes); !applied)
                return failed(applied.error());
            if (!look())
                return exit_wrong;
        }
        tell();
        return exit_done;
    }

    // Fills steps_ with what has to change.
    int plan(std::vector<pci::Change>& changes) {
        std::string wanted = pci::canonical_driver(options_.driver);
        if (looks_like_device(devices_, wanted)) {
            complain(fmt::format("{} is a device, not a driver; write --bind DRIVER {}", wanted, wanted));
            return exit_wrong;
        }
        for (const auto& address : selected_) {
            const Device& one = device(address);
            std::string driver = wanted == "auto" ? automatic(one) : wanted;
            if (driver == one.function.driver) {
                notice(driver.empty() ? fmt::format("{} is not held by any driver", address.to_string())
                                      : fmt::format("{} already bound to driver {}, skipping",
                                                    address.to_string(), driver));
                continue;
            }
            if (driver == pci::driver_sluice && one.sluice_driver.empty())
                notice(fmt::format("{} has no Sluice driver; bound to {}, DPDK's own driver serves it",
                                   address.to_string(), pci::driver_vfio));
            steps_.push_back({address, one.function.driver, driver});
            changes.push_back({address, driver});
        }
        return exit_done;
    }

    std::string automatic(const Device& one) {
        std::string_view proposed = one.proposed();
        if (proposed == pci::driver_sluice && !context_.sysfs.has_driver(proposed) &&
            context_.sysfs.has_driver(pci::driver_vfio)) {
            notice(fmt::format("{} goes to {}: {} is not loaded", one.function.address.to_string(),
                               pci::driver_vfio, pci::driver_sluice));
            proposed = pci::driver_vfio;
        }
        return std::string(proposed);
    }

    int refuse_used() {
        if (options_.force)
            return exit_done;
        int code = exit_done;
        for (const auto& step : steps_) {
            auto uses = pci::uses(context_.sysfs, device(step.address).function, context_.ssh);
            if (uses.empty())
                continue;
            std::vector<std::string_view> texts;
            texts.reserve(uses.size());
            for (const auto& use : uses)
                texts.push_back(use.text);
            complain(fmt::format("{}: refused, {}; --force does it anyway", step.address.to_string(),
                                 fmt::join(texts, ", ")));
            code = exit_refused;
        }
        return code;
    }

    // Lets modules go without an IOMMU where this was asked for and there is none.
    int allow() {
        if (!options_.noiommu || options_.dry_run)
            return exit_done;
        for (const auto& step : steps_) {
            if (device(step.address).function.group || pci::noiommu_allowed(context_.sysfs, step.to) ||
                (step.to != pci::driver_sluice && step.to != pci::driver_vfio))
                continue;
            if (auto allowed = pci::allow_noiommu(context_.sysfs, step.to, context_.writer); !allowed) {
                complain(allowed.error().message());
                return exit_wrong;
            }
            notice(fmt::format("{} now goes without an IOMMU: its devices can write to all memory", step.to));
        }
        return exit_done;
    }

    int failed(const Error& error) {
        complain(error.message());
        bool could_not = error.code() == EACCES || error.code() == EPERM || error.code() == EROFS;
        return could_not ? exit_wrong : exit_refused;
    }

    void tell() {
        for (const auto& step : steps_) {
            if (!options_.json)
                context_.out << fmt::format(
                    "{}{}: {} -> {}\n", options_.dry_run ? "would change " : "", step.address.to_string(),
                    step.from.empty() ? "no driver" : step.from, step.to.empty() ? "no driver" : step.to);
            warn_of_group(step);
            std::string claim = claimed_by(context_.sysfs.roots(), step.address, step.to);
            if (!claim.empty())
                notice(fmt::format("{} stays so until the system starts again: {}", step.address.to_string(),
                                   claim));
        }
    }

    void warn_of_group(const Step& step) {
        const auto& function = device(step.address).function;
        if (!pci::is_userspace_driver(step.to) || !function.group)
            return;
        auto group = context_.sysfs.group(*function.group);
        if (!group)
            return;
        for (const auto* other : blockers(*group, devices_)) {
            bool changes = std::ranges::any_of(
                steps_, [&](const Step& one) { return one.address == other->function.address; });
            if (!changes)
                notice(fmt::format(
                    "{} cannot be opened yet: {} of the same IOMMU group {} uses the kernel's DMA; "
                    "bind it too, or unbind it",
                    step.address.to_string(), short_text(*other), group->number));
        }
    }

    // NUMA node of the first device named.
    int first_node() const { return selected_.empty() ? -1 : device(selected_.front()).function.numa_node; }

    void show() {
        if (options_.json) {
            std::span<const Step> steps;
            if (!options_.status)
                steps = steps_;
            const JsonParts parts{.only = options_.status_dev,
                                  .steps = steps,
                                  .devices = options_.status || !options_.act || !steps_.empty(),
                                  .groups = options_.groups,
                                  .hugepages = options_.hugepages.has_value(),
                                  .dry_run = options_.dry_run};
            context_.out << json_text(context_.sysfs, devices_, parts);
            return;
        }
        if (options_.status)
            context_.out << status_text(devices_, options_.status_dev);
        if (options_.groups)
            context_.out << groups_text(context_.sysfs, devices_, selected_);
    }

    const Options& options_;
    Context& context_;
    std::vector<Device> devices_;
    std::vector<pci::Address> selected_;
    std::vector<Step> steps_;
};

} // namespace

int run(const Options& options, Context& context) {
    return Run(options, context).all();
}

} // namespace sluice::devbind
