// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/address_pool.hpp"

#include <set>

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

SandboxRecord in_slot(std::uint32_t slot)
{
    return {.key = key_of(alice, "box"), .user = "alice", .base_digest = "", .cow_limit = {}, .slot = slot};
}

TEST(AddressPoolTest, EachSlotHasANetworkOfItsOwnWithinThePool)
{
    const auto pool = AddressPool::parse("10.1.2.0/24");
    std::set<std::uint32_t> addresses;
    std::set<std::string> cards;
    for (std::uint32_t slot = 0; slot < pool.slots(); ++slot) {
        const auto network = network_of(pool, in_slot(slot));
        EXPECT_EQ(network.gateway >> 8U, 0x0a0102U);
        EXPECT_EQ(network.gateway >> 2U, network.guest >> 2U) << "one /30";
        EXPECT_EQ(network.gateway % 4, 1U);
        EXPECT_EQ(network.guest, network.gateway + 1);
        addresses.insert({network.gateway, network.guest});
        cards.insert(mac_text(network.mac));
    }
    EXPECT_EQ(addresses.size(), 128U);
    EXPECT_EQ(cards.size(), 64U);
}

TEST(AddressPoolTest, R10InterfaceNamesFitAndTellOursByTheirAltname)
{
    const auto pool = AddressPool::parse("10.213.0.0/16");
    const auto network = network_of(pool, in_slot(pool.slots() - 1));
    EXPECT_EQ(network.tap, "bgr16383");
    EXPECT_LT(network.tap.size(), 16U) << "IFNAMSIZ, with its end";
    EXPECT_EQ(network.altname, "banger-1000-box");
    EXPECT_EQ(network.uid, alice);
    EXPECT_EQ(ipv4_text(network.guest), "10.213.255.254");
}

TEST(AddressPoolTest, ACardsAddressIsLocalAndUnicast)
{
    const auto first = mac_of(0x0ad50002)[0];
    EXPECT_EQ(first & 1U, 0U);
    EXPECT_EQ(first & 2U, 2U);
}

}  // namespace
}  // namespace banger::broker::test
