// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The devices' registers in the order in which their data sheets want them used.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>
#include <sluice/net/driver.hpp>

#include "regs.hpp"

namespace sluice::inline v1::e1000 {

/// What differs between the devices.
struct Chip {
    const char* name;
    std::uint16_t device_id;
    bool express;                ///< PCI Express: master disable, MSI-X, EERD's newer form
    std::uint16_t mac_addresses; ///< receive address registers
    std::uint16_t max_mtu;
    std::uint8_t ipgt; ///< inter-packet gap on copper
};

/// Null when there is none.
const Chip* find_chip(std::uint16_t vendor, std::uint16_t device) noexcept;

/// One queue's ring, as the device is told.
struct RingSetup {
    Iova base;
    std::uint32_t bytes = 0;
};

struct ReceiveSetup {
    RingSetup ring;
    std::uint32_t buffer_bytes = 2048; ///< 256 to 16,384, a power of two
    bool long_frames = false;          ///< above 1,522 bytes
    bool checksum = false;
};

class Hardware {
  public:
    Hardware(const Chip& chip, Registers regs, std::string name) noexcept
        : chip_(chip)
        , regs_(regs)
        , name_(std::move(name)) {}

    const Chip& chip() const noexcept { return chip_; }
    const Registers& regs() const noexcept { return regs_; }

    /// All-ones: the device answers no more.
    bool gone() const noexcept { return regs_.read<Status>().all_ones(); }

    /// Masks interrupts, ends DMA, resets the MAC and waits until it is back. ENODEV, ETIMEDOUT; 100 ms at
    /// most.
    Result<> reset();
    /// No DMA starts after it returned. Bounded, also when the device is gone.
    void quiesce() noexcept;

    /// The address that the NVM holds.
    Result<net::MacAddress> mac();
    /// Powers the PHY up if it sleeps, and lets the MAC follow it. Does not wait for negotiation.
    Result<> set_up_link();
    net::Link link() const;

    void set_up_receive(const ReceiveSetup& setup);
    void enable_receive();
    void set_up_transmit(const RingSetup& ring);
    void set_filter(const net::RxFilter& filter);
    void set_vlan_strip(bool on);

    /// Vectors under MSI-X: 0 link and errors, 1 the receive queue.
    void set_up_msix();
    void enable_link_interrupt();
    void arm_receive();
    void disarm_receive();
    /// Takes the waiting causes: true for link.
    bool take_link_event();

    Result<std::uint16_t> read_phy(unsigned reg);
    Result<> write_phy(unsigned reg, std::uint16_t value);

  private:
    Result<std::uint16_t> read_nvm(unsigned word);
    Result<Mdic> phy_command(Mdic command);
    tl::unexpected<Error> timeout(const char* what) const;

    const Chip& chip_;
    Registers regs_;
    std::string name_;
    Rctl rctl_; ///< what set_up_receive chose; filters change bits of it
};

} // namespace sluice::inline v1::e1000
