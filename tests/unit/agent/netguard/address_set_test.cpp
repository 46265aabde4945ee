// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/address_set.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::netguard {
namespace {

Address at(const char* text) { return Address::parse(text); }

TEST(AddressTest, Ipv4ComesAsMappedIpv6)
{
    EXPECT_EQ(at("192.0.2.1"), at("::ffff:192.0.2.1"));
    EXPECT_TRUE(at("0.0.0.0").is_v4());
    EXPECT_TRUE(at("255.255.255.255").is_v4());
    EXPECT_FALSE(at("::").is_v4());
    EXPECT_FALSE(at("::1:0:0:0").is_v4());
    EXPECT_FALSE(at("::fffe:ffff:ffff").is_v4());
}

TEST(AddressTest, WhatIsNoAddressIsRefused)
{
    for (const auto* text : {"", "1.2.3", "1.2.3.256", "host", "fe80::1%eth0", "1.2.3.4 "}) {
        EXPECT_THROW(Address::parse(text), Error) << text;
    }
}

TEST(PrefixTest, LengthsCountInTheirOwnFamily)
{
    const auto v4 = Prefix::parse("10.1.2.3/8");
    EXPECT_EQ(v4.first, at("10.0.0.0"));
    EXPECT_EQ(v4.last, at("10.255.255.255"));
    const auto v6 = Prefix::parse("fe80::5/10");
    EXPECT_EQ(v6.first, at("fe80::"));
    EXPECT_EQ(v6.last, at("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    const auto deep = Prefix::parse("2001:db8::ff/121");
    EXPECT_EQ(deep.first, at("2001:db8::80"));
    EXPECT_EQ(deep.last, at("2001:db8::ff"));
}

TEST(PrefixTest, ShortestAndLongestLengthsWork)
{
    EXPECT_EQ(Prefix::parse("::/0").last, at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    EXPECT_EQ(Prefix::parse("1.2.3.4/0").first, at("0.0.0.0"));
    EXPECT_EQ(Prefix::parse("1.2.3.4/0").last, at("255.255.255.255"));
    EXPECT_EQ(Prefix::parse("1.2.3.4/32").first, at("1.2.3.4"));
    EXPECT_EQ(Prefix::parse("::1/128").last, at("::1"));
    EXPECT_EQ(Prefix::parse("2001:db8::/64").last, at("2001:db8::ffff:ffff:ffff:ffff"));
}

TEST(PrefixTest, WrongLengthsAreRefused)
{
    for (const auto* text : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "/8"}) {
        EXPECT_THROW(Prefix::parse(text), Error) << text;
    }
}

TEST(AddressSetTest, BordersOfARangeBelongToItAndTheirNeighboursDoNot)
{
    const AddressSet set{{Prefix::parse("169.254.0.0/16"), Prefix::parse("127.0.0.0/8"), Prefix::parse("fe80::/10")}};
    for (const auto* inside : {"127.0.0.0", "127.255.255.255", "169.254.0.0", "169.254.255.255", "fe80::", "febf::1"}) {
        EXPECT_TRUE(set.contains(at(inside))) << inside;
    }
    for (const auto* outside :
         {"126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "::", "fec0::", "fe7f:ffff::", "ffff::"}) {
        EXPECT_FALSE(set.contains(at(outside))) << outside;
    }
}

TEST(AddressSetTest, OverlapsAndRepetitionsAreOne)
{
    const AddressSet set{{Prefix::parse("10.0.0.0/8"), Prefix::parse("10.1.0.0/16"), Prefix::parse("10.1.2.3"),
                          Prefix::parse("10.255.255.255"), Prefix::parse("11.0.0.1"), Prefix::parse("11.0.0.1")}};
    EXPECT_TRUE(set.contains(at("10.0.0.0")));
    EXPECT_TRUE(set.contains(at("10.2.0.0")));
    EXPECT_TRUE(set.contains(at("10.255.255.255")));
    EXPECT_FALSE(set.contains(at("11.0.0.0")));
    EXPECT_TRUE(set.contains(at("11.0.0.1")));
    EXPECT_FALSE(set.contains(at("11.0.0.2")));
}

TEST(AddressSetTest, AnEmptySetHasNothing) { EXPECT_FALSE(AddressSet{}.contains(at("0.0.0.0"))); }

}  // namespace
}  // namespace banger::netguard
