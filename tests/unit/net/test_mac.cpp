// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <sluice/net/mac.hpp>

namespace {

using sluice::net::MacAddress;

TEST(MacAddress, reads_what_it_writes) {
    const auto mac = MacAddress::parse("02:0a:B0:ff:00:1e");
    ASSERT_TRUE(mac);
    EXPECT_EQ(mac->to_string(), "02:0a:b0:ff:00:1e");
    EXPECT_FALSE(mac->multicast());
    EXPECT_FALSE(mac->zero());
    EXPECT_TRUE(MacAddress{}.zero());
    EXPECT_TRUE(MacAddress::parse("01:00:5e:00:00:01")->multicast());
}

TEST(MacAddress, refuses_everything_else) {
    for (const char* text :
         {"", "02", "02:0a:b0:ff:00", "02:0a:b0:ff:00:1e:", "02-0a-b0-ff-00-1e", "02:0a:b0:ff:00:1g",
          "2:0a:b0:ff:00:1e0", "02:0a:b0:ff:00:-1", "+2:0a:b0:ff:00:1e"}) {
        const auto mac = MacAddress::parse(text);
        ASSERT_FALSE(mac) << text;
        EXPECT_EQ(mac.error().code(), EINVAL);
    }
}

} // namespace
