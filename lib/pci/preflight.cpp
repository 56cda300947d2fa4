// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/preflight.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <sys/utsname.h>

#include <sluice/pci/bind.hpp>
#include <sluice/pci/modules.hpp>
#include <sluice/pci/use.hpp>

#include "access.hpp"
#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

// One question, and the rows of its answer.
class Examination {
  public:
    Examination(const Sysfs& sysfs, const Function& function, std::string_view driver,
                const Environment& environment)
        : sysfs_(sysfs)
        , function_(function)
        , environment_(environment)
        , bdf_(function.address.to_string())
        , wanted_(driver.empty() ? usual_driver() : canonical_driver(driver))
        , any_driver_(driver.empty()) {}

    std::vector<Check> all() {
        check_kind();
        check_module();
        check_driver();
        check_iommu();
        if (function_.group) {
            check_group(*function_.group);
            check_reserved(*function_.group);
            check_msi();
        }
        check_sriov();
        if (bound())
            check_nodes();
        check_numa();
        return std::move(checks_);
    }

  private:
    void ok(std::string_view id, std::string cause) { add(id, Verdict::ok, std::move(cause), {}); }
    void warning(std::string_view id, std::string cause, std::string advice) {
        add(id, Verdict::warning, std::move(cause), std::move(advice));
    }
    void blocks(std::string_view id, std::string cause, std::string advice) {
        add(id, Verdict::blocks, std::move(cause), std::move(advice));
    }
    void add(std::string_view id, Verdict verdict, std::string cause, std::string advice) {
        checks_.push_back({id, verdict, std::move(cause), std::move(advice)});
    }

    // With no wish expressed: the one that holds it, else the one that is loaded, ours first.
    std::string usual_driver() const {
        if (function_.driver == driver_vfio || function_.driver == driver_sluice)
            return function_.driver;
        bool vfio_only = !sysfs_.has_driver(driver_sluice) && sysfs_.has_driver(driver_vfio);
        return std::string(vfio_only ? driver_vfio : driver_sluice);
    }

    bool bound() const {
        return any_driver_ ? function_.driver == driver_vfio || function_.driver == driver_sluice
                           : function_.driver == wanted_;
    }

    std::string bind_command(const std::string& bdf) const {
        return fmt::format("sluice-devbind --bind {} {}", wanted_, bdf);
    }

    std::string module() const { return wanted_ == driver_sluice ? "sluice_pci" : "vfio-pci"; }

    bool parameter_set(std::string_view module, std::string_view name) const {
        std::string value =
            files::read_line(fmt::format("{}/module/{}/parameters/{}", sysfs_.roots().sys, module, name));
        return value == "Y" || value == "1";
    }

    void check_kind() {
        if (function_.header_type.value_or(0) != 0)
            blocks("kind", "it is a bridge (header type " + std::to_string(*function_.header_type) + ")",
                   "name the device behind it");
        else
            ok("kind", fmt::format("{:04x}:{:04x}, class {:06x}", function_.vendor, function_.device,
                                   function_.class_code));
    }

    void check_module() {
        if (sysfs_.has_driver(wanted_)) {
            ok("module", fmt::format("{} is loaded", wanted_));
            return;
        }
        utsname system{};
        ::uname(&system);
        if (ModuleIndex(sysfs_.roots()).state(module()) != ModuleState::absent)
            blocks("module", fmt::format("the module {} is there but not loaded", module()),
                   fmt::format("as root: modprobe {}", module()));
        else if (wanted_ == driver_sluice)
            blocks("module", fmt::format("kernel {} has no module sluice_pci", system.release),
                   fmt::format("install sluice-dkms and linux-headers-{}, or use vfio-pci", system.release));
        else
            blocks("module", fmt::format("kernel {} has no module vfio-pci", system.release),
                   "install the kernel's full set of modules, or use sluice-pci");
        check_lockdown();
    }

    // Only told where it can be why a module is missing.
    void check_lockdown() {
        if (wanted_ != driver_sluice)
            return;
        std::string modes = files::read_line(sysfs_.roots().sys + "/kernel/security/lockdown");
        std::size_t begin = modes.find('[');
        std::string mode =
            begin == std::string::npos ? "" : modes.substr(begin + 1, modes.find(']') - begin - 1);
        // UEFI 2.10 §3.3: the variable's one byte, after four of attributes.
        auto variable = files::read(sysfs_.roots().sys +
                                    "/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        bool secure = variable && variable->size() == 5 && variable->back() == '\1';
        if (!secure && (mode.empty() || mode == "none"))
            return;
        warning("lockdown",
                secure
                    ? "Secure Boot is on, so that only signed modules load"
                    : fmt::format("the kernel is locked down ({}), so that only signed modules load", mode),
                "enrol the key that signs sluice_pci (mokutil --import /var/lib/dkms/mok.pub, restart, "
                "confirm), or use "
                "vfio-pci, which is signed with the kernel");
    }

    void check_driver() {
        if (bound()) {
            ok("driver", "bound to " + function_.driver);
            return;
        }
        if (function_.driver.empty()) {
            blocks("driver", "no driver holds it", "bind it: " + bind_command(bdf_));
            return;
        }
        std::string carries;
        if (!function_.interfaces.empty())
            carries = fmt::format(" as {}", fmt::join(function_.interfaces, ", "));
        for (const auto& use : uses(sysfs_, function_, {}))
            carries += ", " + use.text;
        blocks("driver",
               fmt::format("bound to {}{}{}", function_.driver,
                           is_userspace_driver(function_.driver) ? "" : ", a kernel driver", carries),
               "bind it: " + bind_command(bdf_));
    }

    void check_iommu() {
        if (function_.group) {
            ok("iommu", fmt::format("IOMMU group {}", *function_.group));
            return;
        }
        if (noiommu_allowed(sysfs_, wanted_)) {
            warning("iommu", "it is in no IOMMU group, and the module goes without",
                    "turn the IOMMU on: without it the device can write to all memory");
            return;
        }
        const auto& roots = sysfs_.roots();
        std::string tables = roots.sys + "/firmware/acpi/tables/";
        std::string cause = "it is in no IOMMU group: the IOMMU is off or missing";
        if (files::exists(tables + "DMAR"))
            blocks("iommu", cause + " (firmware has a DMAR table)",
                   "add intel_iommu=on to the kernel's command line and restart");
        else if (files::exists(tables + "IVRS"))
            blocks("iommu", cause + " (firmware has an IVRS table)",
                   "take amd_iommu=off and iommu=off from the kernel's command line and restart");
        else if (files::read(roots.proc + "/cpuinfo").value_or("").find(" hypervisor") != std::string::npos)
            blocks("iommu", cause + " (a virtual machine without one)",
                   "give the machine an emulated IOMMU, or use soft: or vhost-user: devices");
        else
            blocks("iommu", cause + " (no DMAR or IVRS table)",
                   "enable VT-d or AMD-Vi in the firmware's settings");
    }

    void check_group(unsigned number) {
        std::vector<std::string> texts;
        std::vector<std::string> commands;
        for (const auto& address : function_.group_members) {
            if (address == function_.address)
                continue;
            auto other = sysfs_.find(address);
            if (!other || shares_group(other->driver))
                continue;
            std::string text = fmt::format("{} with {}", address.to_string(), other->driver);
            for (const auto& interface : other->interfaces)
                text += ", " + interface;
            for (const auto& use : uses(sysfs_, *other, {}))
                text += ", " + use.text;
            texts.push_back(std::move(text));
            commands.push_back(address.to_string());
        }
        if (texts.empty()) {
            ok("group",
               fmt::format("group {} is viable, {} function(s)", number, function_.group_members.size()));
            return;
        }
        blocks("group",
               fmt::format("group {} is not viable: a kernel driver holds {}", number,
                           fmt::join(texts, " and ")),
               fmt::format("{}, or sluice-devbind --unbind {}",
                           bind_command(fmt::format("{}", fmt::join(commands, " "))),
                           fmt::join(commands, " ")));
    }

    void check_reserved(unsigned number) {
        auto group = sysfs_.group(number);
        if (group && !group->direct.empty())
            blocks("reserved",
                   fmt::format("firmware maps {} one to one for it (RMRR)", fmt::join(group->direct, ", ")),
                   "look for a firmware setting (shared memory, RMRR), or move the card to another slot");
    }

    // Seen by the names of the interrupt chips: IR-IO-APIC where the IOMMU remaps interrupts.
    void check_msi() {
        std::string interrupts = files::read(sysfs_.roots().proc + "/interrupts").value_or("");
        if (interrupts.find("IO-APIC") == std::string::npos)
            return;
        if (interrupts.find("IR-IO-APIC") != std::string::npos) {
            ok("msi", "interrupts are remapped");
            return;
        }
        std::string module_name = wanted_ == driver_sluice ? "sluice_pci" : "vfio_iommu_type1";
        if (parameter_set(module_name, "allow_unsafe_interrupts"))
            warning("msi", "interrupts are not isolated, and allow_unsafe_interrupts accepts it",
                    "turn interrupt remapping on: a device can raise any interrupt");
        else
            blocks("msi", "interrupts are not isolated: interrupt remapping is off",
                   fmt::format("turn it on (firmware: x2APIC or interrupt remapping; kernel: no "
                               "intremap=off), or accept "
                               "the risk as root: echo 1 > /sys/module/{}/parameters/allow_unsafe_interrupts",
                               module_name));
    }

    void check_sriov() {
        if (function_.virtual_functions.empty())
            return;
        blocks(
            "sriov", fmt::format("it has {} live virtual function(s)", function_.virtual_functions.size()),
            fmt::format("use one of them, or as root: echo 0 > /sys/bus/pci/devices/{}/sriov_numvfs", bdf_));
    }

    void check_nodes() {
        std::string node;
        if (function_.driver == driver_sluice)
            node = function_.sluice.empty() ? "" : "/dev/sluice/" + function_.sluice;
        else if (function_.group)
            node = "/dev/vfio/" + std::to_string(*function_.group);
        if (node.empty())
            return;
        std::string path = sysfs_.roots().resolve(node);
        if (!files::exists(path))
            blocks("node", node + " is not there",
                   "a container needs it passed in (--device); else see that udev runs");
        else if (!may_use(path, environment_))
            blocks(
                "node", fmt::format("{} is not ours to open ({})", node, describe_access(path)),
                fmt::format(
                    "give it to a group by a udev rule: SUBSYSTEM==\"{}\", GROUP=\"sluice\", MODE=\"0660\"; "
                    "or use sluice-broker",
                    function_.driver == driver_sluice ? "sluice" : "vfio"));
        else
            ok("node", node + " can be opened");
        check_holders(node);
    }

    void check_holders(const std::string& node) {
        for (const auto& holder : holders(sysfs_, function_)) {
            if (holder.node == node) {
                blocks("holder", fmt::format("{} is open in {} (pid {})", node, holder.name, holder.pid),
                       "end that process, or use another device: a group has one owner");
                return;
            }
        }
        ok("holder", "no process is seen that has " + node + " open");
    }

    void check_numa() {
        const auto& nodes = environment_.lcore_nodes;
        if (function_.numa_node < 0 || nodes.empty())
            return;
        if (std::ranges::find(nodes, function_.numa_node) != nodes.end()) {
            ok("numa", fmt::format("device and threads are on node {}", function_.numa_node));
            return;
        }
        std::string cpus = files::read_line(
            fmt::format("{}/devices/system/node/node{}/cpulist", sysfs_.roots().sys, function_.numa_node));
        warning(
            "numa",
            fmt::format("the device is on NUMA node {}, the threads are on {}", function_.numa_node,
                        fmt::join(nodes, ", ")),
            fmt::format("for the full rate run them on CPUs {} (-l)", cpus.empty() ? "of its node" : cpus));
    }

    const Sysfs& sysfs_;
    const Function& function_;
    const Environment& environment_;
    std::string bdf_;
    std::string wanted_;
    bool any_driver_;
    std::vector<Check> checks_;
};

std::vector<Check> device_checks(const Sysfs& sysfs, const Address& address, std::string_view driver,
                                 const Environment& environment) {
    auto function = sysfs.find(address);
    if (!function)
        return {
            {"address", Verdict::blocks, "there is no such device", "sluice-devbind --status lists them"}};
    std::vector<Check> checks{{"address", Verdict::ok, "it is there", {}}};
    auto rows = Examination(sysfs, *function, driver, environment).all();
    std::ranges::move(rows, std::back_inserter(checks));
    return checks;
}

std::optional<std::string> first_that_blocks(const std::vector<Check>& checks) {
    auto found = std::ranges::find(checks, Verdict::blocks, &Check::verdict);
    return found != checks.end() ? std::optional(to_line(*found)) : std::nullopt;
}

} // namespace

std::string_view to_string(Verdict verdict) noexcept {
    switch (verdict) {
    case Verdict::ok:
        return "ok";
    case Verdict::warning:
        return "warning";
    case Verdict::blocks:
        return "blocks";
    }
    return {};
}

std::vector<Check> preflight(const Sysfs& sysfs, const Address& address, std::string_view driver,
                             const Environment& environment) {
    auto checks = device_checks(sysfs, address, driver, environment);
    auto function = sysfs.find(address);
    if (!function)
        return checks;
    auto rows = preflight_memory(sysfs, environment, function->numa_node);
    std::ranges::move(rows, std::back_inserter(checks));
    return checks;
}

std::string to_line(const Check& check) {
    return check.advice.empty() ? check.cause : check.cause + "; " + check.advice;
}

std::optional<std::string> why_not(const Sysfs& sysfs, const Address& address, std::string_view driver,
                                   const Environment& environment) {
    auto line = first_that_blocks(device_checks(sysfs, address, driver, environment));
    return line ? std::optional(address.to_string() + ": " + *line) : std::nullopt;
}

std::optional<std::string> why_no_memory(const Sysfs& sysfs, const Environment& environment) {
    return first_that_blocks(preflight_memory(sysfs, environment));
}

} // namespace sluice::inline v1::pci
