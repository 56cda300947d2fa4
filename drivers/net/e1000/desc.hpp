// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Legacy descriptors, which both devices have: 16 bytes, the buffer's address and one word of 64 bits.
/// Receive: [82574] §7.1, [8254x] §3.2.3. Transmit: [82574] §7.2, [8254x] §3.3.3.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sluice/base/endian.hpp>
#include <sluice/reg/register.hpp>

namespace sluice::inline v1::e1000 {

/// Word of a receive descriptor as the device writes it back.
struct RxWord : reg::Value<RxWord, std::uint64_t> {
    using Vlan = Field<63, 48>;
    using Rxe = Bit<47>; ///< data error
    using Ipe = Bit<46>;
    using Tcpe = Bit<45>;
    using Cxe = Bit<44>;
    using Seq = Bit<42>;
    using Se = Bit<41>;
    using Ce = Bit<40>;   ///< CRC error
    using Ipcs = Bit<38>; ///< IPv4 checksum was looked at
    using Tcpcs = Bit<37>;
    using Vp = Bit<35>;   ///< a VLAN tag was stripped
    using Ixsm = Bit<34>; ///< ignore the checksum bits
    using Eop = Bit<33>;
    using Dd = Bit<32>;
    using Checksum = Field<31, 16>;
    using Length = Field<15, 0>;
};

/// Errors for which a frame is dropped.
inline constexpr std::uint64_t rx_errors =
    RxWord::Rxe::mask | RxWord::Cxe::mask | RxWord::Seq::mask | RxWord::Se::mask | RxWord::Ce::mask;

/// A frame that fills one descriptor, and is there.
inline constexpr std::uint64_t rx_done_whole = RxWord::Dd::mask | RxWord::Eop::mask;

/// Word of a transmit descriptor.
struct TxWord : reg::Value<TxWord, std::uint64_t> {
    using Vlan = Field<63, 48>;
    using Reserved = Field<39, 36>;
    using Underrun = Bit<35>;
    using Lc = Bit<34>; ///< late collision
    using Ec = Bit<33>; ///< excess collisions
    using Dd = Bit<32>;
    using Vle = Bit<30>;
    using Rs = Bit<27>;   ///< report status
    using Ifcs = Bit<25>; ///< append the CRC
    using Eop = Bit<24>;
    using Cso = Field<23, 16>;
    using Length = Field<15, 0>;
};

/// Command of a frame in one descriptor.
inline constexpr std::uint64_t tx_whole_frame = TxWord::Eop::mask | TxWord::Ifcs::mask;

struct Descriptor {
    le64 address;
    le64 word;
};
static_assert(sizeof(Descriptor) == 16 && offsetof(Descriptor, word) == 8);

/// Ring sizes: RDLEN and TDLEN count bytes in multiples of 128, at most 64 KiB less one step on the 8254x.
inline constexpr std::uint16_t min_descriptors = 64;
inline constexpr std::uint16_t max_descriptors = 4096 - 32;
inline constexpr std::uint16_t descriptor_multiple = 32; ///< lumps of 32 are completed at once

/// One load, whatever the compiler thinks: a word that the device writes is read once.
inline std::uint64_t read_word(const Descriptor& descriptor) noexcept {
    return to_little(*reinterpret_cast<const volatile std::uint64_t*>(&descriptor.word));
}

} // namespace sluice::inline v1::e1000
