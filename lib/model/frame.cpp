// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/frame.hpp>

#include <algorithm>
#include <cstring>

namespace sluice::inline v1::model {

namespace {

std::uint16_t get16(std::span<const std::byte> bytes, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 |
                                      std::to_integer<unsigned>(bytes[at + 1]));
}

void put16(std::span<std::byte> bytes, std::size_t at, std::uint16_t value) noexcept {
    bytes[at] = static_cast<std::byte>(value >> 8);
    bytes[at + 1] = static_cast<std::byte>(value);
}

/// The sum of RFC 1071 over big-endian words, not folded.
std::uint64_t sum(std::span<const std::byte> bytes) noexcept {
    std::uint64_t total = 0;
    std::size_t at = 0;
    for (; at + 1 < bytes.size(); at += 2)
        total += get16(bytes, at);
    if (at < bytes.size())
        total += std::to_integer<std::uint64_t>(bytes[at]) << 8;
    return total;
}

std::uint16_t fold(std::uint64_t total) noexcept {
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(total);
}

/// §5.1.6.2: the field holds the pseudo header's sum; from csum_start on all is added.
void finish_checksum(std::span<std::byte> frame, std::size_t start, std::size_t field) noexcept {
    const auto checksum = static_cast<std::uint16_t>(~fold(sum(frame.subspan(start))));
    put16(frame, field, checksum != 0 ? checksum : std::uint16_t{0xffff}); // RFC 768: 0 is "none"
}

/// Where the headers of a TCP frame are.
struct TcpFrame {
    std::size_t ip = 0;
    std::size_t tcp = 0;
    std::size_t payload = 0;
    bool v6 = false;
};

constexpr std::uint16_t ether_ipv4 = 0x0800;
constexpr std::uint16_t ether_ipv6 = 0x86dd;
constexpr std::uint16_t ether_vlan = 0x8100;
constexpr std::uint16_t ether_qinq = 0x88a8;
constexpr std::byte protocol_tcp{6};
/// Of one frame; 64 KiB in the smallest segments that hosts send are fewer.
constexpr std::size_t max_segments = 2048;

/// False for all but TCP over IPv4 with options, or IPv6 without, in at most two tags, with all its headers.
bool find_tcp(std::span<const std::byte> frame, TcpFrame& found) noexcept {
    std::size_t at = 12;
    for (unsigned tags = 0; tags < 2 && frame.size() >= at + 6; ++tags, at += 4)
        if (const auto type = get16(frame, at); type != ether_vlan && type != ether_qinq)
            break;
    if (frame.size() < at + 2)
        return false;
    const auto type = get16(frame, at);
    found.ip = at + 2;
    found.v6 = type == ether_ipv6;
    if (found.v6) {
        if (frame.size() < found.ip + 40 || frame[found.ip + 6] != protocol_tcp)
            return false;
        found.tcp = found.ip + 40;
    } else {
        if (type != ether_ipv4 || frame.size() < found.ip + 20 || frame[found.ip + 9] != protocol_tcp ||
            (frame[found.ip] >> 4) != std::byte{4})
            return false;
        const auto words = std::to_integer<std::size_t>(frame[found.ip] & std::byte{15});
        if (words < 5)
            return false;
        found.tcp = found.ip + 4 * words;
    }
    if (frame.size() < found.tcp + 20)
        return false;
    const auto words = std::to_integer<std::size_t>(frame[found.tcp + 12] >> 4);
    found.payload = found.tcp + 4 * words;
    return words >= 5 && found.payload <= frame.size();
}

/// Lengths, identification, sequence number, flags and checksums of one segment. RFC 791, 8200, 9293.
void write_headers(std::span<std::byte> frame, const TcpFrame& at, std::uint32_t sequence, unsigned serial,
                   bool first, bool last) noexcept {
    const auto ip_bytes = static_cast<std::uint16_t>(frame.size() - at.ip);
    const auto tcp_bytes = static_cast<std::uint16_t>(frame.size() - at.tcp);
    std::uint64_t pseudo = std::uint64_t{6} + tcp_bytes;
    if (at.v6) {
        put16(frame, at.ip + 4, static_cast<std::uint16_t>(ip_bytes - 40));
        pseudo += sum(frame.subspan(at.ip + 8, 32));
    } else {
        put16(frame, at.ip + 2, ip_bytes);
        put16(frame, at.ip + 4, static_cast<std::uint16_t>(get16(frame, at.ip + 4) + serial));
        put16(frame, at.ip + 10, 0);
        put16(frame, at.ip + 10,
              static_cast<std::uint16_t>(~fold(sum(frame.subspan(at.ip, at.tcp - at.ip)))));
        pseudo += sum(frame.subspan(at.ip + 12, 8));
    }
    put16(frame, at.tcp + 4, static_cast<std::uint16_t>(sequence >> 16));
    put16(frame, at.tcp + 6, static_cast<std::uint16_t>(sequence));
    constexpr std::byte fin_and_push{0x09};
    constexpr std::byte reduced{0x80}; // congestion window reduced: the first segment says so (RFC 3168)
    if (!last)
        frame[at.tcp + 13] &= ~fin_and_push;
    if (!first)
        frame[at.tcp + 13] &= ~reduced;
    put16(frame, at.tcp + 16, fold(pseudo));
    finish_checksum(frame, at.tcp, at.tcp + 16);
}

} // namespace

std::size_t copy_frame(const Frame& frame, std::span<std::byte> to) noexcept {
    std::size_t done = 0;
    for (const Buffer& piece : frame.pieces) {
        const std::size_t part = std::min<std::size_t>(piece.size, to.size() - done);
        std::memcpy(to.data() + done, piece.data, part);
        done += part;
    }
    return done;
}

bool check_header(NetHeader& header, std::uint32_t length, const Takes& offered) noexcept {
    header.flags &= NetHeader::needs_csum;
    const bool partial = header.flags != 0;
    if (length < min_frame || length > max_frame)
        return false;
    if (partial && (!offered.checksum ||
                    std::uint32_t{header.csum_start} + header.csum_offset + sizeof(std::uint16_t) > length))
        return false;
    switch (header.gso_type) {
    case NetHeader::gso_none:
        return true;
    case NetHeader::gso_tcp4:
        return offered.tcp4 && partial && header.gso_size != 0;
    case NetHeader::gso_tcp6:
        return offered.tcp6 && partial && header.gso_size != 0;
    default:
        return false;
    }
}

Finisher::Finisher()
    : whole_(max_frame)
    , part_(max_frame) {}

bool Finisher::finish(const Frame& frame, const Takes& takes, const std::function<bool(const Frame&)>& out) {
    if (frame.length > whole_.size() ||
        copy_frame(frame, std::span(whole_).first(frame.length)) != frame.length)
        return false;
    const NetHeader header = frame.header;
    if (frame.unsegmented() && !(header.gso_type == NetHeader::gso_tcp4 ? takes.tcp4 : takes.tcp6))
        return segment(header, frame.length, out);
    const Buffer piece{whole_.data(), frame.length, false};
    Frame done{header, frame.length, {&piece, 1}};
    if (frame.partial_checksum() && !takes.checksum) {
        finish_checksum(std::span(whole_).first(frame.length), header.csum_start,
                        std::size_t{header.csum_start} + header.csum_offset);
        done.header = {};
    }
    return out(done);
}

bool Finisher::segment(const NetHeader& header, std::uint32_t length,
                       const std::function<bool(const Frame&)>& out) {
    const auto whole = std::span(whole_).first(length);
    TcpFrame at;
    const std::size_t most = header.gso_size;
    if (!find_tcp(whole, at) || at.v6 != (header.gso_type == NetHeader::gso_tcp6) || most == 0)
        return false;
    const std::size_t payload = length - at.payload;
    if (payload / most >= max_segments)
        return false;
    std::uint32_t sequence = std::uint32_t{get16(whole, at.tcp + 4)} << 16 | get16(whole, at.tcp + 6);
    unsigned serial = 0;
    std::size_t done = 0;
    do {
        const std::size_t bytes = std::min(most, payload - done);
        const auto frame = std::span(part_).first(at.payload + bytes);
        std::memcpy(part_.data(), whole_.data(), at.payload);
        std::memcpy(part_.data() + at.payload, whole_.data() + at.payload + done, bytes);
        done += bytes;
        write_headers(frame, at, sequence, serial, serial == 0, done == payload);
        const Buffer piece{frame.data(), static_cast<std::uint32_t>(frame.size()), false};
        if (!out({{}, piece.size, {&piece, 1}}))
            return false;
        sequence += static_cast<std::uint32_t>(bytes);
        ++serial;
    } while (done < payload);
    return true;
}

} // namespace sluice::inline v1::model
