// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/address.hpp>

#include <cctype>
#include <cerrno>

#include <rte_pci.h>

namespace sluice::inline v1::pci {

namespace {

// The parser of librte_pci rests on strtoul, which also takes blanks, signs, 0x and empty fields.
bool is_plain(std::string_view text) noexcept {
    bool digit_before = false;
    for (char letter : text) {
        bool separator = letter == ':' || letter == '.';
        if (separator ? !digit_before : std::isxdigit(static_cast<unsigned char>(letter)) == 0)
            return false;
        digit_before = !separator;
    }
    return digit_before;
}

} // namespace

Result<Address> Address::parse(std::string_view text) {
    constexpr const char* wanted = "not a PCI address; write it as 0000:01:00.0 or 01:00.0";
    std::string copy(text);
    if (!is_plain(text))
        return fail(EINVAL, wanted, std::move(copy));
    rte_pci_addr parsed{};
    if (rte_pci_addr_parse(copy.c_str(), &parsed) != 0 || parsed.devid > 31 || parsed.function > 7)
        return fail(EINVAL, wanted, std::move(copy));
    return Address{parsed.domain, parsed.bus, parsed.devid, parsed.function};
}

std::string Address::to_string() const {
    rte_pci_addr raw{domain, bus, device, function};
    char text[PCI_PRI_STR_SIZE];
    rte_pci_device_name(&raw, text, sizeof text);
    return text;
}

} // namespace sluice::inline v1::pci
