// SPDX-License-Identifier: BSD-3-Clause
#include <random>

#include <gtest/gtest.h>

#include <sluice/model/frame.hpp>

#include "driver.hpp"

namespace model_test {
namespace {

using model::Buffer;
using model::Frame;
using model::NetHeader;
using model::Takes;

constexpr Takes everything{.checksum = true, .tcp4 = true, .tcp6 = true};

std::uint32_t word(const Bytes& bytes, std::size_t at, unsigned width) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
    return value;
}
void put(Bytes& bytes, std::size_t at, unsigned width, std::uint32_t value) {
    for (unsigned i = width; i-- > 0; value >>= 8)
        bytes[at + i] = static_cast<std::byte>(value);
}

/// RFC 1071, the slow way: zero when `bytes` with their checksum are right.
std::uint16_t internet_sum(const Bytes& bytes, std::size_t from, std::size_t to, std::uint32_t sum = 0) {
    for (std::size_t at = from; at < to; at += 2)
        sum += at + 1 < to ? word(bytes, at, 2) : word(bytes, at, 1) << 8;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

/// A TCP frame with a partial checksum, and its header.
struct Tcp {
    Bytes bytes;
    NetHeader header{};
    std::size_t ip;
    std::size_t tcp;
    bool v6;

    Tcp(bool six, std::size_t tags, std::size_t options, std::size_t payload)
        : ip(14 + 4 * tags)
        , tcp(ip + (six ? 40 : 20 + options))
        , v6(six) {
        std::mt19937 random(static_cast<unsigned>(payload));
        bytes.resize(tcp + 32 + payload);
        for (std::byte& byte : bytes)
            byte = static_cast<std::byte>(random());
        for (std::size_t tag = 0; tag < tags; ++tag)
            put(bytes, 12 + 4 * tag, 2, tag == 0 && tags == 2 ? 0x88a8 : 0x8100);
        put(bytes, ip - 2, 2, six ? 0x86dd : 0x0800);
        if (six) {
            put(bytes, ip, 1, 0x60);
            bytes[ip + 6] = std::byte{6};
        } else {
            put(bytes, ip, 1, static_cast<std::uint32_t>(0x45 + options / 4));
            put(bytes, ip + 4, 2, 0xfffe);
            bytes[ip + 9] = std::byte{6};
        }
        put(bytes, tcp + 4, 4, 0xffffff00);
        put(bytes, tcp + 12, 1, 0x80);
        put(bytes, tcp + 13, 1, 0x99); // reduced, acknowledge, push, fin
        put(bytes, tcp + 16, 2, static_cast<std::uint16_t>(~internet_sum(bytes, 0, 0, pseudo(bytes))));
        header.flags = NetHeader::needs_csum;
        header.csum_start = static_cast<std::uint16_t>(tcp);
        header.csum_offset = std::uint16_t{16};
        header.gso_type = six ? NetHeader::gso_tcp6 : NetHeader::gso_tcp4;
        header.gso_size = std::uint16_t{1000};
    }

    std::uint32_t pseudo(const Bytes& of) const {
        std::uint32_t sum = 6 + static_cast<std::uint32_t>(of.size() - tcp);
        for (std::size_t at = v6 ? ip + 8 : ip + 12; at < ip + (v6 ? 40 : 20); at += 2)
            sum += word(of, at, 2);
        return sum;
    }
    bool tcp_right(const Bytes& of) const { return internet_sum(of, tcp, of.size(), pseudo(of)) == 0; }
    bool ip_right(const Bytes& of) const {
        return v6 ? word(of, ip + 4, 2) == of.size() - ip - 40
                  : internet_sum(of, ip, tcp) == 0 && word(of, ip + 2, 2) == of.size() - ip;
    }
};

/// The frame in three pieces, finished.
std::vector<std::pair<NetHeader, Bytes>> finish(Bytes bytes, const NetHeader& header, const Takes& takes,
                                                bool* done = nullptr) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const Buffer pieces[] = {
        {bytes.data(), 5, false}, {bytes.data() + 5, 40, false}, {bytes.data() + 45, size - 45, false}};
    std::vector<std::pair<NetHeader, Bytes>> all;
    model::Finisher finisher;
    const bool whole = finisher.finish({header, size, pieces}, takes, [&](const Frame& frame) {
        Bytes copy(frame.length);
        EXPECT_EQ(model::copy_frame(frame, copy), frame.length);
        all.emplace_back(frame.header, copy);
        return true;
    });
    if (done != nullptr)
        *done = whole;
    return all;
}

TEST(Finisher, finishes_a_checksum) {
    for (const bool six : {false, true})
        for (const std::size_t payload : {0U, 1U, 100U, 1001U}) {
            const Tcp tcp(six, 0, 0, payload);
            NetHeader header = tcp.header;
            header.gso_type = NetHeader::gso_none;
            const auto all = finish(tcp.bytes, header, {});
            ASSERT_EQ(all.size(), 1U);
            EXPECT_EQ(all[0].first.flags, 0);
            EXPECT_TRUE(tcp.tcp_right(all[0].second)) << payload;
        }
}

TEST(Finisher, leaves_what_is_taken_as_it_is) {
    const Tcp tcp(false, 0, 0, 3000);
    const auto all = finish(tcp.bytes, tcp.header, everything);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].second, tcp.bytes);
    EXPECT_EQ(all[0].first.flags, NetHeader::needs_csum);
    EXPECT_EQ(all[0].first.gso_type, NetHeader::gso_tcp4);
}

TEST(Finisher, segments_tcp) {
    for (const bool six : {false, true})
        for (const std::size_t tags : {0U, 1U, 2U})
            for (const std::size_t options : {0U, 8U})
                for (const std::size_t payload : {1U, 1000U, 1001U, 2500U, 60'000U}) {
                    if (six && options != 0)
                        continue;
                    const Tcp tcp(six, tags, options, payload);
                    const auto all = finish(tcp.bytes, tcp.header, {.checksum = true});
                    ASSERT_EQ(all.size(), (payload + 999) / 1000);
                    Bytes joined;
                    const std::size_t data = tcp.tcp + 32;
                    for (std::size_t i = 0; i < all.size(); ++i) {
                        const Bytes& bytes = all[i].second;
                        EXPECT_EQ(all[i].first.flags, 0);
                        EXPECT_TRUE(tcp.tcp_right(bytes));
                        EXPECT_TRUE(tcp.ip_right(bytes));
                        EXPECT_EQ(word(bytes, tcp.tcp + 4, 4),
                                  static_cast<std::uint32_t>(0xffffff00 + joined.size()));
                        if (!six) {
                            EXPECT_EQ(word(bytes, tcp.ip + 4, 2), (0xfffe + i) & 0xffff);
                        }
                        const std::uint32_t flags = word(bytes, tcp.tcp + 13, 1);
                        EXPECT_EQ((flags & 0x09) != 0, i + 1 == all.size()) << "push and fin: the last";
                        EXPECT_EQ((flags & 0x80) != 0, i == 0) << "reduced: the first";
                        joined.insert(joined.end(), bytes.begin() + static_cast<std::ptrdiff_t>(data),
                                      bytes.end());
                    }
                    EXPECT_EQ(joined,
                              Bytes(tcp.bytes.begin() + static_cast<std::ptrdiff_t>(data), tcp.bytes.end()));
                }
}

TEST(Finisher, refuses_what_is_no_tcp_frame) {
    const auto refused = [](const Tcp& tcp) {
        bool done = true;
        const auto all = finish(tcp.bytes, tcp.header, {}, &done);
        return !done && all.empty();
    };
    EXPECT_FALSE(refused(Tcp(false, 0, 0, 2000)));
    Tcp udp(false, 0, 0, 2000);
    udp.bytes[udp.ip + 9] = std::byte{17};
    EXPECT_TRUE(refused(udp));
    Tcp other(false, 0, 0, 2000);
    other.header.gso_type = NetHeader::gso_tcp6;
    EXPECT_TRUE(refused(other));
    Tcp short_ip(false, 0, 0, 2000);
    short_ip.bytes[short_ip.ip] = std::byte{0x44};
    EXPECT_TRUE(refused(short_ip));
    Tcp short_tcp(false, 0, 0, 2000);
    short_tcp.bytes[short_tcp.tcp + 12] = std::byte{0x40};
    EXPECT_TRUE(refused(short_tcp));
    Tcp long_tcp(false, 0, 0, 20);
    long_tcp.bytes[long_tcp.tcp + 12] = std::byte{0xf0};
    EXPECT_TRUE(refused(long_tcp));
    Tcp tiny(false, 0, 0, 2049);
    tiny.header.gso_size = std::uint16_t{1};
    EXPECT_TRUE(refused(tiny)) << "thousands of segments";
}

TEST(Header, is_checked_against_what_was_offered_and_the_length) {
    const auto fits = [](NetHeader header, std::uint32_t length, Takes offered) {
        return model::check_header(header, length, offered);
    };
    EXPECT_TRUE(fits({}, 60, {}));
    EXPECT_FALSE(fits({}, 13, {}));
    EXPECT_FALSE(fits({}, model::max_frame + 1, {}));
    NetHeader partial{};
    partial.flags = NetHeader::needs_csum;
    partial.csum_start = std::uint16_t{40};
    partial.csum_offset = std::uint16_t{18};
    EXPECT_TRUE(fits(partial, 60, everything));
    EXPECT_FALSE(fits(partial, 59, everything));
    EXPECT_FALSE(fits(partial, 60, {}));
    partial.csum_start = std::uint16_t{0xffff};
    partial.csum_offset = std::uint16_t{0xffff};
    EXPECT_FALSE(fits(partial, 60, everything));
    NetHeader segments = Tcp(false, 0, 0, 2000).header;
    EXPECT_TRUE(fits(segments, 2000, everything));
    EXPECT_FALSE(fits(segments, 2000, {.checksum = true}));
    segments.gso_size = std::uint16_t{0};
    EXPECT_FALSE(fits(segments, 2000, everything));
    segments = Tcp(false, 0, 0, 2000).header;
    segments.flags = 0;
    EXPECT_FALSE(fits(segments, 2000, everything)) << "segments without a partial checksum";
    segments.gso_type = 3;
    EXPECT_FALSE(fits(segments, 2000, everything));
    NetHeader knowing{};
    knowing.flags = NetHeader::data_valid;
    EXPECT_TRUE(model::check_header(knowing, 60, {}));
    EXPECT_EQ(knowing.flags, 0);
}

} // namespace
} // namespace model_test
