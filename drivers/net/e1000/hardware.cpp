// SPDX-License-Identifier: BSD-3-Clause
#include "hardware.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <thread>

namespace sluice::inline v1::e1000 {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint16_t intel = 0x8086;
constexpr std::array chips = {
    Chip{.name = "82574L",
         .device_id = 0x10d3,
         .express = true,
         .mac_addresses = 15,
         .max_mtu = 9000,
         .ipgt = 8},
    Chip{.name = "82540EM",
         .device_id = 0x100e,
         .express = false,
         .mac_addresses = 15,
         .max_mtu = 9000,
         .ipgt = 10},
};

/// Polls `done` every `step` until it holds or `limit` has passed. False: it never held.
template <typename Condition>
bool wait_for(std::chrono::microseconds limit, std::chrono::microseconds step, Condition done) {
    const auto end = Clock::now() + limit;
    while (!done()) {
        if (Clock::now() >= end)
            return done();
        std::this_thread::sleep_for(step);
    }
    return true;
}

// PHY registers of IEEE 802.3 clause 22.
constexpr unsigned phy_control = 0;
constexpr std::uint16_t phy_negotiate = 1 << 12;
constexpr std::uint16_t phy_power_down = 1 << 11;
constexpr std::uint16_t phy_isolate = 1 << 10;
constexpr std::uint16_t phy_restart = 1 << 9;

} // namespace

const Chip* find_chip(std::uint16_t vendor, std::uint16_t device) noexcept {
    for (const Chip& chip : chips)
        if (vendor == intel && device == chip.device_id)
            return &chip;
    return nullptr;
}

tl::unexpected<Error> Hardware::timeout(const char* what) const {
    return gone() ? fail(ENODEV, "the device answers no more (all registers read as ones): was it unplugged?",
                         name_)
                  : fail(ETIMEDOUT, what, name_);
}

void Hardware::quiesce() noexcept {
    regs_.write(Imc::from(0xffffffff));
    regs_.write(Rctl{});
    regs_.write(Tctl::from(Tctl::Psp::mask));
    if (chip_.express && !gone()) {
        // Master disable: the device finishes its requests and starts no new ones. [82574] §3.1, §10.2.2.
        regs_.modify<Ctrl>([](Ctrl& ctrl) { ctrl.set<Ctrl::GioMasterDisable>(); });
        wait_for(10ms, 50us, [&] { return gone() || !regs_.read<Status>().get<Status::GioMasterEnable>(); });
    }
}

/// [82574] §4.6.2, [8254x] §14.3: interrupts off, DMA off, reset, wait, interrupts off again.
Result<> Hardware::reset() {
    if (gone())
        return timeout("");
    quiesce();
    auto ctrl = regs_.read<Ctrl>();
    ctrl.set<Ctrl::Rst>().clear<Ctrl::GioMasterDisable>();
    regs_.write(ctrl);
    // The bus may not be touched while the reset goes on: 1 ms is what both devices need at most.
    std::this_thread::sleep_for(1ms);
    const bool back = wait_for(50ms, 100us, [&] {
        const auto now = regs_.read<Ctrl>();
        return !now.all_ones() && !now.get<Ctrl::Rst>();
    });
    if (!back)
        return timeout("the MAC does not come back from its reset: unbind and bind the device");
    regs_.write(Imc::from(0xffffffff));
    const auto causes = regs_.read<Icr>();
    regs_.write(causes);
    return {};
}

Result<std::uint16_t> Hardware::read_nvm(unsigned word) {
    Eerd command;
    command.set<Eerd::Start>();
    if (chip_.express)
        command.set<Eerd::Address>(word);
    else
        command.set<Eerd::Address8254x>(word);
    regs_.write(command);
    Eerd answer;
    const bool done = wait_for(10ms, 10us, [&] {
        answer = regs_.read<Eerd>();
        return chip_.express ? answer.get<Eerd::Done>() : answer.get<Eerd::Done8254x>();
    });
    if (!done || answer.all_ones())
        return timeout("the NVM does not answer");
    return static_cast<std::uint16_t>(answer.get<Eerd::Data>());
}

/// The reset loads the NVM's address into the first receive address registers. [82574] §4.6.2, [8254x] §14.3.
Result<net::MacAddress> Hardware::mac() {
    const auto low = regs_.read<Ral>(0);
    const auto high = regs_.read<Rah>(0);
    net::MacAddress mac;
    for (unsigned i = 0; i < 4; ++i)
        mac.bytes[i] = static_cast<std::uint8_t>(low.raw() >> 8 * i);
    for (unsigned i = 0; i < 2; ++i)
        mac.bytes[4 + i] = static_cast<std::uint8_t>(high.raw() >> 8 * i);
    if (!high.get<Rah::Av>() || mac.zero() || mac.multicast()) {
        for (unsigned word = 0; word < 3; ++word) {
            const auto value = read_nvm(word);
            if (!value)
                return tl::unexpected(value.error());
            mac.bytes[2 * word] = static_cast<std::uint8_t>(*value);
            mac.bytes[2 * word + 1] = static_cast<std::uint8_t>(*value >> 8);
        }
    }
    if (mac.zero() || mac.multicast())
        return fail(EIO, "the NVM holds no MAC address", name_ + ": " + mac.to_string());
    return mac;
}

/// [82574] §10.2.2 (MDIC). Both devices' PHY has address 1.
Result<Mdic> Hardware::phy_command(Mdic command) {
    command.set<Mdic::Phy>(1);
    regs_.write(command);
    Mdic answer;
    const bool done = wait_for(10ms, 50us, [&] {
        answer = regs_.read<Mdic>();
        return answer.get<Mdic::Ready>();
    });
    if (!done || answer.get<Mdic::Error>())
        return timeout("the PHY does not answer");
    return answer;
}

Result<std::uint16_t> Hardware::read_phy(unsigned reg) {
    Mdic command;
    command.set<Mdic::Op>(2).set<Mdic::Reg>(reg);
    const auto answer = phy_command(command);
    if (!answer)
        return tl::unexpected(answer.error());
    return static_cast<std::uint16_t>(answer->get<Mdic::Data>());
}

Result<> Hardware::write_phy(unsigned reg, std::uint16_t value) {
    Mdic command;
    command.set<Mdic::Op>(1).set<Mdic::Reg>(reg).set<Mdic::Data>(value);
    const auto answer = phy_command(command);
    return answer ? Result<>{} : tl::unexpected(answer.error());
}

/// [82574] §4.6.3, [8254x] §14.3. Flow control stays off: its registers are cleared.
Result<> Hardware::set_up_link() {
    regs_.write(Fcal::from(0x00c28001)); // the address of pause frames, 01:80:c2:00:00:01
    regs_.write(Fcah::from(0x0100));
    regs_.write(Fct::from(0x8808));
    regs_.write(Fcttv{});
    regs_.write(Fcrtl{});
    regs_.write(Fcrth{});
    regs_.modify<Ctrl>([this](Ctrl& ctrl) {
        ctrl.set<Ctrl::Slu>().clear<Ctrl::FrcSpd>().clear<Ctrl::FrcDplx>().clear<Ctrl::Ilos>();
        ctrl.clear<Ctrl::Rfce>().clear<Ctrl::Tfce>().clear<Ctrl::PhyRst>();
        if (!chip_.express)
            ctrl.set<Ctrl::Asde>().clear<Ctrl::Lrst>();
    });
    const auto control = read_phy(phy_control);
    if (!control)
        return tl::unexpected(control.error());
    // A PHY that negotiates already is left alone: a restart would take the link down for seconds.
    if ((*control & (phy_power_down | phy_isolate)) == 0 && (*control & phy_negotiate) != 0)
        return {};
    return write_phy(phy_control, phy_negotiate | phy_restart);
}

net::Link Hardware::link() const {
    static constexpr std::array<std::uint32_t, 4> speeds = {10, 100, 1000, 1000};
    const auto status = regs_.read<Status>();
    if (status.all_ones() || !status.get<Status::Lu>())
        return {};
    return {.up = true,
            .full_duplex = status.get<Status::Fd>(),
            .autonegotiated = true,
            .mbps = speeds[status.get<Status::Speed>()]};
}

/// [82574] §4.6.5, [8254x] §14.4.
void Hardware::set_up_receive(const ReceiveSetup& setup) {
    for (std::size_t i = 0; i < Vfta::count; ++i)
        regs_.write(i, Vfta{});
    regs_.write(Rdtr{});
    regs_.write(Radv{});
    Rxcsum checksum;
    if (setup.checksum)
        checksum.set<Rxcsum::Ipofl>().set<Rxcsum::Tuofl>();
    regs_.write(checksum);
    if (chip_.express) {
        regs_.write(Rfctl{}); // legacy descriptors
        regs_.write(Mrqc{});  // one queue
    }
    const std::uint64_t base = setup.ring.base.value;
    regs_.write(0, Rdbal::from(static_cast<u32>(base)));
    regs_.write(0, Rdbah::from(static_cast<u32>(base >> 32)));
    regs_.write(0, Rdlen::from(setup.ring.bytes));
    regs_.write(0, Rdh{});
    regs_.write(0, Rdt{});
    Rxdctl control; // Wthresh 0: each descriptor is written back when its frame is complete
    control.set<Rxdctl::Gran>().set<Rxdctl::Pthresh>(32).set<Rxdctl::Hthresh>(4);
    regs_.write(0, control);

    rctl_ = Rctl{};
    rctl_.set<Rctl::Secrc>().set<Rctl::Bam>();
    if (setup.long_frames)
        rctl_.set<Rctl::Lpe>();
    // 256 << n, or with Bsex 4096 << n; the field counts down from the largest.
    const bool large = setup.buffer_bytes > 2048;
    const u32 step = static_cast<u32>(std::countr_zero(setup.buffer_bytes / (large ? 4096u : 256u)));
    rctl_.set<Rctl::Bsex>(large ? 1 : 0).set<Rctl::Bsize>(3u - step);
}

void Hardware::enable_receive() {
    rctl_.set<Rctl::En>();
    regs_.write(rctl_);
}

/// [82574] §4.6.6, [8254x] §14.5.
void Hardware::set_up_transmit(const RingSetup& ring) {
    regs_.write(0, Tdbal::from(static_cast<u32>(ring.base.value)));
    regs_.write(0, Tdbah::from(static_cast<u32>(ring.base.value >> 32)));
    regs_.write(0, Tdlen::from(ring.bytes));
    regs_.write(0, Tdh{});
    regs_.write(0, Tdt{});
    regs_.write(Tidv{});
    regs_.write(Tadv{});
    Txdctl control; // Wthresh 0: a report is written as soon as it is due
    control.set<Txdctl::Gran>().set<Txdctl::CountDesc>().set<Txdctl::Pthresh>(31).set<Txdctl::Hthresh>(1);
    regs_.write(0, control);
    Tipg gap;
    gap.set<Tipg::Ipgt>(chip_.ipgt).set<Tipg::Ipgr1>(8).set<Tipg::Ipgr2>(6);
    regs_.write(gap);
    Tctl tctl;
    tctl.set<Tctl::En>().set<Tctl::Psp>().set<Tctl::Ct>(15).set<Tctl::Cold>(0x3f).set<Tctl::Rtlc>();
    if (chip_.express)
        tctl.set<Tctl::Mulr>();
    regs_.write(tctl);
}

/// [82574] §10.2.5 (MTA, RAL, RAH), [8254x] §13.5. The multicast table takes bits 47:36 of the address (MO
/// 0).
void Hardware::set_filter(const net::RxFilter& filter) {
    for (std::size_t i = 0; i < chip_.mac_addresses; ++i) {
        Ral low;
        Rah high;
        if (i < filter.addresses.size()) {
            const auto& bytes = filter.addresses[i].bytes;
            low = Ral::from(u32{bytes[0]} | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24);
            high.set<Rah::High>(u32{bytes[4]} | u32{bytes[5]} << 8).set<Rah::Av>();
        }
        // An entry is never valid with half an address.
        regs_.write(i, Rah{});
        regs_.write(i, low);
        regs_.write(i, high);
    }
    std::array<u32, Mta::count> table{};
    for (const net::MacAddress& address : filter.multicast) {
        const u32 hash = (u32{address.bytes[4]} >> 4 | u32{address.bytes[5]} << 4) & 0xfff;
        table[hash >> 5] |= 1u << (hash & 31);
    }
    for (std::size_t i = 0; i < Mta::count; ++i)
        regs_.write(i, Mta::from(table[i]));
    rctl_.set<Rctl::Upe>(filter.promiscuous).set<Rctl::Mpe>(filter.promiscuous || filter.all_multicast);
    if (rctl_.get<Rctl::En>())
        regs_.write(rctl_);
}

void Hardware::set_vlan_strip(bool on) {
    regs_.write(Vet::from(0x8100));
    regs_.modify<Ctrl>([on](Ctrl& ctrl) { ctrl.set<Ctrl::Vme>(on); });
}

/// [82574] §7.4: a queue's cause clears itself, and its mask, when its vector fires; link's is taken by hand.
void Hardware::set_up_msix() {
    Ivar vectors;
    vectors.set<Ivar::Other>(0).set<Ivar::OtherValid>().set<Ivar::RxQ0>(1).set<Ivar::RxQ0Valid>();
    regs_.write(vectors);
    Eiac automatic;
    automatic.set<Eiac::RxQ0>();
    regs_.write(automatic);
    regs_.modify<CtrlExt>(
        [](CtrlExt& ext) { ext.set<CtrlExt::PbaClear>().set<CtrlExt::Eiame>().clear<CtrlExt::Iame>(); });
    for (std::size_t i = 0; i < Eitr::count; ++i)
        regs_.write(i, Eitr{});
}

void Hardware::enable_link_interrupt() {
    Ims mask;
    mask.set<Ims::Lsc>();
    if (chip_.express)
        mask.set<Ims::Other>();
    regs_.write(mask);
}

void Hardware::arm_receive() {
    // Frames that were polled have left their cause behind: it would wake at once.
    Icr seen;
    seen.set<Icr::RxQ0>();
    regs_.write(seen);
    Ims mask;
    mask.set<Ims::RxQ0>();
    regs_.write(mask);
}

void Hardware::disarm_receive() {
    Imc mask;
    mask.set<Imc::RxQ0>();
    regs_.write(mask);
}

bool Hardware::take_link_event() {
    const auto causes = regs_.read<Icr>();
    if (causes.all_ones())
        return false;
    // A line interrupt's causes went with the read; under MSI-X they are written back, all but the queue's,
    // which its own vector takes. [82574] §7.4.3.
    if (chip_.express) {
        auto taken = causes;
        taken.clear<Icr::RxQ0>();
        regs_.write(taken);
    }
    return causes.get<Icr::Lsc>();
}

} // namespace sluice::inline v1::e1000
