// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Registers of the 82574 and of the 82540EM, which are the same where both have them.
/// [82574]: Intel 82574 GbE Controller Family Datasheet. [8254x]: PCI/PCI-X Family of Gigabit Ethernet
/// Controllers Software Developer's Manual. Bits high first.
#pragma once

#include <cstdint>

#include <sluice/reg/map.hpp>

namespace sluice::inline v1::e1000 {

using reg::Access;
using u32 = std::uint32_t;

// General. [82574] §10.2.2, [8254x] §13.4.

/// Device Control.
struct Ctrl : reg::Register<Ctrl, 0x0000, u32, Access::rw> {
    using PhyRst = Bit<31>;
    using Vme = Bit<30>; ///< VLAN tags are stripped and inserted
    using Tfce = Bit<28>;
    using Rfce = Bit<27>;
    using Rst = Bit<26>; ///< self-clearing; all but the PHY
    using FrcDplx = Bit<12>;
    using FrcSpd = Bit<11>;
    using Ilos = Bit<7>;
    using Slu = Bit<6>;              ///< set link up
    using Asde = Bit<5>;             ///< speed is detected ([8254x] only)
    using Lrst = Bit<3>;             ///< link reset ([8254x] only)
    using GioMasterDisable = Bit<2>; ///< no new requests on the bus ([82574] only)
    using Fd = Bit<0>;
};

/// Device Status.
struct Status : reg::Register<Status, 0x0008, u32, Access::ro> {
    using GioMasterEnable = Bit<19>; ///< requests are pending, or may be made ([82574] only)
    using Speed = Field<7, 6>;       ///< 10, 100, 1000, 1000 Mbit/s
    using Lu = Bit<1>;
    using Fd = Bit<0>;
};

/// NVM Read. START, then poll DONE; where DONE and the address stand differs.
struct Eerd : reg::Register<Eerd, 0x0014, u32, Access::rw> {
    using Data = Field<31, 16>;
    using Address = Field<15, 2>;      ///< [82574] §10.2.2
    using Address8254x = Field<15, 8>; ///< [8254x] §13.4.4
    using Done8254x = Bit<4>;
    using Done = Bit<1>;
    using Start = Bit<0>;
};

/// Extended Device Control.
struct CtrlExt : reg::Register<CtrlExt, 0x0018, u32, Access::rw> {
    using PbaClear = Bit<31>; ///< pending bits of MSI-X clear with the mask
    using Drvload = Bit<28>;
    using Iame = Bit<27>;
    using Eiame = Bit<24>;
};

/// MDI Control: the way to the PHY.
struct Mdic : reg::Register<Mdic, 0x0020, u32, Access::rw> {
    using Error = Bit<30>;
    using Ready = Bit<28>;
    using Op = Field<27, 26>; ///< 1 write, 2 read
    using Phy = Field<25, 21>;
    using Reg = Field<20, 16>;
    using Data = Field<15, 0>;
};

struct Fcal : reg::Register<Fcal, 0x0028, u32, Access::rw> {};
struct Fcah : reg::Register<Fcah, 0x002c, u32, Access::rw> {};
struct Fct : reg::Register<Fct, 0x0030, u32, Access::rw> {};
/// VLAN EtherType.
struct Vet : reg::Register<Vet, 0x0038, u32, Access::rw> {};

// Interrupts. [82574] §10.2.4, §7.4; [8254x] §13.4.17 to §13.4.21.

/// Causes; the same bits in ICR, ICS, IMS, IMC, EIAC, IAM.
template <typename Self>
struct Causes {
    template <unsigned N>
    using At = reg::FieldOf<Self, u32, N, N>;
    using Other = At<24>; ///< [82574]: one of the causes below bit 20, under MSI-X
    using TxQ1 = At<23>;
    using TxQ0 = At<22>;
    using RxQ1 = At<21>;
    using RxQ0 = At<20>;
    using RxT0 = At<7>; ///< a frame was received
    using Rxo = At<6>;
    using Lsc = At<2>; ///< link status changed
};

/// Interrupt Cause. A read clears it on a line interrupt; under MSI-X ([82574] §7.4.3) a written one does.
struct Icr : reg::Register<Icr, 0x00c0, u32, Access::w1c>, Causes<Icr> {};
struct Ics : reg::Register<Ics, 0x00c8, u32, Access::wo>, Causes<Ics> {};
/// Interrupt Mask Set: a one enables. It is no plain register, so it is write-only here.
struct Ims : reg::Register<Ims, 0x00d0, u32, Access::wo>, Causes<Ims> {};
/// Interrupt Mask Clear: a one disables.
struct Imc : reg::Register<Imc, 0x00d8, u32, Access::wo>, Causes<Imc> {};
/// Causes that clear themselves, and their mask bit, when their MSI-X vector fires. [82574] only.
struct Eiac : reg::Register<Eiac, 0x00dc, u32, Access::rw>, Causes<Eiac> {};
struct Iam : reg::Register<Iam, 0x00e0, u32, Access::rw> {};
/// Vectors of causes. [82574] only.
struct Ivar : reg::Register<Ivar, 0x00e4, u32, Access::rw> {
    using OtherValid = Bit<19>;
    using Other = Field<18, 16>;
    using RxQ1Valid = Bit<7>;
    using RxQ1 = Field<6, 4>;
    using RxQ0Valid = Bit<3>;
    using RxQ0 = Field<2, 0>;
};
/// Interrupt throttling: 256 ns between interrupts of the line, and of each vector ([82574] only).
struct Itr : reg::Register<Itr, 0x00c4, u32, Access::rw> {};
struct Eitr : reg::Array<Eitr, 0x00e8, u32, Access::rw, 5, 4> {};

// Receive. [82574] §10.2.5, [8254x] §13.4.22 to §13.4.32, §13.5.

struct Rctl : reg::Register<Rctl, 0x0100, u32, Access::rw> {
    using Secrc = Bit<26>;       ///< the CRC is stripped
    using Bsex = Bit<25>;        ///< buffer sizes ×16
    using Vfe = Bit<18>;         ///< VLAN filter
    using Bsize = Field<17, 16>; ///< 2048, 1024, 512, 256
    using Bam = Bit<15>;         ///< broadcast is accepted
    using Mo = Field<13, 12>;    ///< which bits of an address index the multicast table
    using Lbm = Field<7, 6>;
    using Lpe = Bit<5>; ///< frames above 1,522 bytes
    using Mpe = Bit<4>; ///< multicast promiscuous
    using Upe = Bit<3>; ///< unicast promiscuous
    using Sbp = Bit<2>; ///< bad frames are stored
    using En = Bit<1>;
};

struct Fcrtl : reg::Register<Fcrtl, 0x2160, u32, Access::rw> {};
struct Fcrth : reg::Register<Fcrth, 0x2168, u32, Access::rw> {};
struct Fcttv : reg::Register<Fcttv, 0x0170, u32, Access::rw> {};

// Queue registers: index 1 on the 82574 alone.
struct Rdbal : reg::Array<Rdbal, 0x2800, u32, Access::rw, 2, 0x100> {};
struct Rdbah : reg::Array<Rdbah, 0x2804, u32, Access::rw, 2, 0x100> {};
struct Rdlen : reg::Array<Rdlen, 0x2808, u32, Access::rw, 2, 0x100> {}; ///< bytes, a multiple of 128
struct Rdh : reg::Array<Rdh, 0x2810, u32, Access::rw, 2, 0x100> {};
struct Rdt : reg::Array<Rdt, 0x2818, u32, Access::rw, 2, 0x100> {};
struct Rdtr : reg::Register<Rdtr, 0x2820, u32, Access::rw> {};
struct Rxdctl : reg::Array<Rxdctl, 0x2828, u32, Access::rw, 2, 0x100> {
    using Gran = Bit<24>; ///< thresholds count descriptors, not cache lines
    using Wthresh = Field<21, 16>;
    using Hthresh = Field<13, 8>;
    using Pthresh = Field<5, 0>;
};
struct Radv : reg::Register<Radv, 0x282c, u32, Access::rw> {};

struct Rxcsum : reg::Register<Rxcsum, 0x5000, u32, Access::rw> {
    using Tuofl = Bit<9>; ///< TCP and UDP checksums are checked
    using Ipofl = Bit<8>;
};
/// [82574] only.
struct Rfctl : reg::Register<Rfctl, 0x5008, u32, Access::rw> {
    using Exsten = Bit<15>; ///< extended receive descriptors
};
/// Multicast Table: one bit for each of 4,096 hashes.
struct Mta : reg::Array<Mta, 0x5200, u32, Access::rw, 128, 4> {};
struct Ral : reg::Array<Ral, 0x5400, u32, Access::rw, 16, 8> {};
struct Rah : reg::Array<Rah, 0x5404, u32, Access::rw, 16, 8> {
    using Av = Bit<31>; ///< address valid
    using High = Field<15, 0>;
};
struct Vfta : reg::Array<Vfta, 0x5600, u32, Access::rw, 128, 4> {};
struct Mrqc : reg::Register<Mrqc, 0x5818, u32, Access::rw> {};

// Transmit. [82574] §10.2.6, [8254x] §13.4.33 to §13.4.44.

struct Tctl : reg::Register<Tctl, 0x0400, u32, Access::rw> {
    using Mulr = Bit<28>; ///< several requests at a time ([82574] only)
    using Rtlc = Bit<24>;
    using Cold = Field<21, 12>;
    using Ct = Field<11, 4>;
    using Psp = Bit<3>; ///< short frames are padded
    using En = Bit<1>;
};
struct Tipg : reg::Register<Tipg, 0x0410, u32, Access::rw> {
    using Ipgr2 = Field<29, 20>;
    using Ipgr1 = Field<19, 10>;
    using Ipgt = Field<9, 0>;
};
struct Tdbal : reg::Array<Tdbal, 0x3800, u32, Access::rw, 2, 0x100> {};
struct Tdbah : reg::Array<Tdbah, 0x3804, u32, Access::rw, 2, 0x100> {};
struct Tdlen : reg::Array<Tdlen, 0x3808, u32, Access::rw, 2, 0x100> {};
struct Tdh : reg::Array<Tdh, 0x3810, u32, Access::rw, 2, 0x100> {};
struct Tdt : reg::Array<Tdt, 0x3818, u32, Access::rw, 2, 0x100> {};
struct Tidv : reg::Register<Tidv, 0x3820, u32, Access::rw> {};
struct Txdctl : reg::Array<Txdctl, 0x3828, u32, Access::rw, 2, 0x100> {
    using Gran = Bit<24>;
    using CountDesc = Bit<22>; ///< must be one ([82574] §10.2.6)
    using Wthresh = Field<21, 16>;
    using Hthresh = Field<13, 8>;
    using Pthresh = Field<5, 0>;
};
struct Tadv : reg::Register<Tadv, 0x382c, u32, Access::rw> {};

/// Statistics, cleared by a read. [82574] §10.2.7, [8254x] §13.7. Which is which: stats.cpp.
struct Statistic : reg::Array<Statistic, 0x4000, u32, Access::rc, 74, 4> {};

using Map = reg::Map<0x20000, Ctrl, Status, Eerd, CtrlExt, Mdic, Fcal, Fcah, Fct, Vet, Icr, Itr, Ics, Ims,
                     Imc, Eiac, Iam, Ivar, Eitr, Rctl, Fcttv, Tctl, Tipg, Fcrtl, Fcrth, Rdbal, Rdbah, Rdlen,
                     Rdh, Rdt, Rdtr, Rxdctl, Radv, Tdbal, Tdbah, Tdlen, Tdh, Tdt, Tidv, Txdctl, Tadv,
                     Statistic, Rxcsum, Rfctl, Mta, Ral, Rah, Vfta, Mrqc>;
using Registers = reg::View<Map>;

} // namespace sluice::inline v1::e1000
