// SPDX-License-Identifier: BSD-3-Clause
#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/net/uri.hpp>

namespace {

using sluice::net::SchemeGrammar;
using sluice::net::Uri;
using testing::HasSubstr;

constexpr std::array<std::string_view, 2> pci_keys = {"driver", "transport"};
constexpr std::array<SchemeGrammar, 2> schemes = {
    SchemeGrammar{.name = "pci", .keys = pci_keys, .raw = false},
    SchemeGrammar{.name = "ethdev", .keys = {}, .raw = true},
};

std::string refusal(std::string_view text) {
    const auto uri = Uri::parse(text, schemes);
    return uri ? "accepted" : uri.error().message();
}

TEST(Uri, takes_a_bare_address_for_pci) {
    for (const char* text : {"0000:01:00.0", "01:00.0", "af:00.7", "10000:01:1f.3"}) {
        const auto uri = Uri::parse(text, schemes);
        ASSERT_TRUE(uri) << text;
        EXPECT_EQ(uri->scheme(), "pci");
        EXPECT_EQ(uri->address(), text);
        EXPECT_EQ(uri->text(), std::string("pci:") + text);
    }
}

TEST(Uri, decodes_keys) {
    const auto uri = Uri::parse("pci:0000:01:00.0?transport=a%20b%3D&driver=%c3%A9", schemes);
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->address(), "0000:01:00.0");
    EXPECT_EQ(uri->get("transport"), "a b=");
    EXPECT_EQ(uri->get("driver"), "\xc3\xa9");
    EXPECT_FALSE(uri->get("other"));
}

TEST(Uri, leaves_the_rest_of_a_raw_scheme_alone) {
    const auto uri = Uri::parse("ethdev:net_pcap0,rx_pcap=a?b&c%20.pcap", schemes);
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->address(), "net_pcap0,rx_pcap=a?b&c%20.pcap");
}

TEST(Uri, lists_what_it_knows_when_it_refuses) {
    EXPECT_THAT(refusal("pci:01:00.0?drver=x"), HasSubstr("known: driver, transport"));
    EXPECT_THAT(refusal("usb:1"), HasSubstr("known: pci:, ethdev:"));
    EXPECT_THAT(refusal("eth0"), HasSubstr("known: pci:, ethdev:"));
    EXPECT_THAT(refusal(""), HasSubstr("known: pci:, ethdev:"));
}

TEST(Uri, refuses_what_is_malformed) {
    for (const char* text :
         {"pci:", "pci:?driver=sluice", "pci:1?", "pci:1?driver", "pci:1?driver=", "pci:1?driver=a&driver=b",
          "pci:1?driver=a&", "pci:1?driver=%", "pci:1?driver=%4", "pci:1?driver=%zz", "pci:1?driver=%4z",
          "ethdev:", "01:00.8", "01:00.", "1234567890:01:00.0"})
        EXPECT_NE(refusal(text), "accepted") << text;
}

TEST(Uri, limits_a_value_to_those_allowed) {
    static constexpr std::array<std::string_view, 2> allowed = {"vfio", "sluice"};
    const auto uri = Uri::parse("pci:1?transport=vfoi", schemes);
    ASSERT_TRUE(uri);
    const auto value = uri->get_one_of("transport", allowed);
    ASSERT_FALSE(value);
    EXPECT_THAT(value.error().message(), HasSubstr("known: vfio, sluice"));
    EXPECT_TRUE(uri->get_one_of("driver", allowed));
    EXPECT_EQ(*Uri::parse("pci:1?transport=vfio", schemes)->get_one_of("transport", allowed), "vfio");
}

} // namespace
