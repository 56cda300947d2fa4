// SPDX-License-Identifier: BSD-3-Clause
#include <unordered_set>

#include <gtest/gtest.h>

#include <sluice/pci/address.hpp>

using sluice::pci::Address;

TEST(Address, reads_the_full_form) {
    auto address = Address::parse("0001:a2:1f.7");
    ASSERT_TRUE(address);
    EXPECT_EQ(*address, (Address{1, 0xa2, 0x1f, 7}));
}

TEST(Address, takes_domain_zero_when_the_form_is_short) {
    auto address = Address::parse("01:00.0");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->to_string(), "0000:01:00.0");
}

TEST(Address, keeps_a_domain_wider_than_16_bits) {
    auto address = Address::parse("10000:e1:00.0");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->domain, 0x10000u);
    EXPECT_EQ(address->to_string(), "10000:e1:00.0");
}

TEST(Address, refuses_what_is_no_address) {
    for (const char* text :
         {"", "eth0", "01:00", "01:00.8", "01:20.0", "0000:01:00.0 ", " 01:00.0", "-1:00.0", "0x1:00.0",
          "01:00.0.0", "0000:01:00.0/x", "100:00.0", ":00.0", "0000:*"}) {
        auto address = Address::parse(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error().code(), EINVAL) << text;
        EXPECT_EQ(address.error().object(), text);
    }
}

TEST(Address, orders_as_the_bus_does) {
    EXPECT_LT(*Address::parse("0000:01:00.1"), *Address::parse("0000:02:00.0"));
    EXPECT_LT(*Address::parse("0000:ff:1f.7"), *Address::parse("0001:00:00.0"));
}

TEST(Address, hashes_each_part) {
    std::unordered_set<Address> set;
    for (const char* text : {"0000:01:00.0", "0000:01:00.1", "0000:01:01.0", "0000:02:00.0", "0001:01:00.0"})
        set.insert(*Address::parse(text));
    EXPECT_EQ(set.size(), 5u);
    EXPECT_TRUE(set.contains(*Address::parse("01:00.0")));
}
