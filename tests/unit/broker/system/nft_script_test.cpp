// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/nft_script.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::broker {
namespace {

SandboxNetwork web(Nat nat = Nat::On)
{
    return {.tap = "bgr7",
            .altname = "banger-1000-web",
            .uid = 1000,
            .gateway = 0xac1e001dU,
            .guest = 0xac1e001eU,
            .mac = {0x02, 0xba, 0, 0, 0, 7},
            .nat = nat};
}

TEST(NftScript, ATapIsAddedToEachSet)
{
    EXPECT_EQ(nft_add(web()), R"(add set inet banger user_1000 { type ifname; }
add chain inet banger user_1000
flush chain inet banger user_1000
add rule inet banger user_1000 oifname @user_1000 accept
add element inet banger user_1000 { "bgr7" }
add element inet banger owners { "bgr7" : jump user_1000 }
add element inet banger gateways { "bgr7" . 172.30.0.29 }
add element inet banger taps { "bgr7" }
add element inet banger nat { "bgr7" }
add element inet banger nat_guests { 172.30.0.30 }
)");
}

TEST(NftScript, FramesPassWithTheAssignedAddressesAlone)
{
    EXPECT_EQ(nft_add_ingress(web()),
              R"(add chain netdev banger bgr7 { type filter hook ingress device "bgr7" priority filter; policy drop; }
flush chain netdev banger bgr7
)"
              "add rule netdev banger bgr7 ether saddr 02:ba:00:00:00:07 ether type arp arp htype 1 arp ptype ip arp "
              "hlen 6 arp plen 4 "
              "arp saddr ether 02:ba:00:00:00:07 arp saddr ip 172.30.0.30 accept\n"
              "add rule netdev banger bgr7 ether saddr 02:ba:00:00:00:07 ether type ip ip saddr 172.30.0.30 accept\n");
}

TEST(NftScript, WithoutNatATapIsInNoSetOfIt)
{
    EXPECT_EQ(nft_set_nat(web(Nat::Off)), R"(add element inet banger nat { "bgr7" }
delete element inet banger nat { "bgr7" }
add element inet banger nat_guests { 172.30.0.30 }
delete element inet banger nat_guests { 172.30.0.30 }
)");
}

TEST(NftScript, RemovingMakesFirstWhatItDeletes)
{
    const auto script = nft_remove(web(), LastOfUser::Yes);
    const auto comes_before = [&](const std::string& one, const std::string& other) {
        return script.find(one) < script.find(other) && script.find(other) != std::string::npos;
    };
    for (const auto* thing : {"element inet banger taps", "element inet banger owners", "chain netdev banger bgr7",
                              "chain inet banger user_1000", "set inet banger user_1000"}) {
        EXPECT_TRUE(comes_before(std::string{"add "} + thing, std::string{"delete "} + thing)) << thing;
    }
    EXPECT_EQ(nft_remove(web(), LastOfUser::No).find("delete chain inet banger user_1000"), std::string::npos);
}

TEST(NftScript, RulesOfOthersGetTwoPlainAccepts)
{
    EXPECT_EQ(nft_add_foreign("DOCKER-USER", web()),
              "insert rule ip filter DOCKER-USER iifname \"bgr7\" counter packets 0 bytes 0 accept comment "
              "\"banger-1000-web\"\n"
              "insert rule ip filter DOCKER-USER oifname \"bgr7\" counter packets 0 bytes 0 accept comment "
              "\"banger-1000-web\"\n");
}

TEST(NftScript, NothingButAnInterfacesNameComesIntoIt)
{
    EXPECT_EQ(nft_set_uplinks({"eth0", "wg-home.1"}), R"(flush set inet banger uplinks
add element inet banger uplinks { "eth0" }
add element inet banger uplinks { "wg-home.1" }
)");
    for (const auto* bad : {"", "a\"b", "a b", "e*", "x}", "a\nb", "sixteenletters16"}) {
        EXPECT_THROW(nft_set_uplinks({bad}), Error) << bad;
        EXPECT_FALSE(nft_can_write(bad)) << bad;
    }
    for (const auto* bad : {"eth0", "bgr", "bgr7\"", "bgr7x", "bgr1234567890123"}) {
        auto network = web();
        network.tap = bad;
        EXPECT_THROW(nft_add(network), Error) << bad;
        EXPECT_THROW(nft_remove(network, LastOfUser::No), Error) << bad;
    }
    for (const auto* bad : {"", "web", "banger-1000-\"", "banger-1001-web"}) {
        auto network = web();
        network.altname = bad;
        EXPECT_THROW(nft_add_foreign("FORWARD", network), Error) << bad;
    }
}

}  // namespace
}  // namespace banger::broker
