// SPDX-License-Identifier: BSD-3-Clause
#include "names.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

// Last: it defines macros with common names. It is written for C alone.
extern "C" {
#include <pci/pci.h>
}

namespace sluice::cfgspace {

namespace {

void drop(char*, ...) {}

/// For names only: without pci_init there is no search for a bus, which would end the program where none is.
pci_access* ids() {
    static pci_access* const access = [] {
        pci_access* made = ::pci_alloc();
        made->warning = drop;
        made->debug = drop;
        return made;
    }();
    return access;
}

} // namespace

std::string folded(std::string_view text) {
    std::string low(text);
    std::transform(low.begin(), low.end(), low.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return low;
}

std::string device_title(std::uint32_t class_code, std::uint16_t vendor, std::uint16_t device) {
    char class_name[128];
    char device_name[256];
    const char* kind = ::pci_lookup_name(ids(), class_name, sizeof class_name, PCI_LOOKUP_CLASS,
                                         static_cast<int>(class_code >> 8));
    const char* name = ::pci_lookup_name(ids(), device_name, sizeof device_name,
                                         PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, int{vendor}, int{device});
    return fmt::format("{}: {} [{:04x}:{:04x}]", kind != nullptr ? kind : "Class",
                       name != nullptr ? name : "Device", vendor, device);
}

} // namespace sluice::cfgspace
