// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "broker/system/tun_ioctl.hpp"
#include "tests/lab/ports/network.hpp"
#include "tests/lab/ports/support.hpp"

namespace banger::broker::test {
namespace {

class TapPort : public ::testing::Test {
public:
    ~TapPort() override { taps.remove(network.altname); }

    std::string sysctl(const std::string& key) { return must("cat /proc/sys/net/" + key); }

    SandboxNetwork network{network_of(7, 1000, "web")};
    TunTaps taps;
};

TEST_F(TapPort, ATapIsItsUsersHasItsAltnameAndIsDown)
{
    taps.create(network);
    EXPECT_EQ(must("cat /sys/class/net/bgr7/owner"), "1000\n");
    const auto link = must("ip -d link show bgr7");
    EXPECT_NE(link.find("altname banger-1000-web"), std::string::npos) << link;
    EXPECT_NE(link.find("persist on"), std::string::npos) << link;
    EXPECT_NE(link.find("type tap"), std::string::npos) << link;
    EXPECT_NE(link.find("state DOWN"), std::string::npos) << link;
    EXPECT_TRUE(taps.is_taken("bgr7"));
    EXPECT_FALSE(taps.is_taken("bgr8"));
    const auto found = taps.list();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].name, "bgr7");
    EXPECT_EQ(found[0].key, key("web"));
    EXPECT_EQ(found[0].index, ::if_nametoindex("bgr7"));
}

TEST_F(TapPort, R27SettingsKeepItsOwnerFromTheHostsTraffic)
{
    taps.create(network);
    taps.up(network);
    must("udevadm settle");
    EXPECT_EQ(sysctl("ipv6/conf/bgr7/disable_ipv6"), "1\n");
    EXPECT_EQ(sysctl("ipv6/conf/bgr7/accept_ra"), "0\n");
    EXPECT_EQ(sysctl("ipv4/conf/bgr7/accept_redirects"), "0\n");
    EXPECT_EQ(sysctl("ipv4/conf/bgr7/send_redirects"), "0\n");
    EXPECT_EQ(sysctl("ipv4/conf/bgr7/accept_source_route"), "0\n");
    EXPECT_EQ(sysctl("ipv4/conf/bgr7/rp_filter"), "1\n");
    EXPECT_EQ(sysctl("ipv4/conf/bgr7/arp_ignore"), "1\n");
    EXPECT_EQ(sysctl("ipv4/conf/bgr7/forwarding"), "1\n");
    EXPECT_EQ(sysctl("ipv4/ip_forward"), "0\n");
}

TEST_F(TapPort, UpHasTheGatewaysAddressAndMayBeSaidTwice)
{
    taps.create(network);
    taps.up(network);
    taps.up(network);
    EXPECT_NE(must("ip -o addr show bgr7").find("inet 172.30.0.29/30"), std::string::npos);
    EXPECT_NE(must("ip -o link show bgr7").find(",UP"), std::string::npos);
    EXPECT_EQ(must("ip -o addr show bgr7 | wc -l"), "1\n");
}

TEST_F(TapPort, R14ItsUserMayOpenItAndNobodyElse)
{
    taps.create(network);
    taps.up(network);
    EXPECT_TRUE(open_tap_as(1000, "bgr7"));
    EXPECT_FALSE(open_tap_as(1001, "bgr7"));
}

TEST_F(TapPort, RemovingTakesItFromAVmmThatHoldsIt)
{
    taps.create(network);
    const auto vmm = open_tap_as(1000, "bgr7");
    EXPECT_EQ(taps.remove(network.altname), Removal::Removed);
    EXPECT_EQ(taps.remove(network.altname), Removal::Absent);
    EXPECT_FALSE(taps.is_taken("bgr7"));
}

TEST_F(TapPort, AStrangersLinkOfThatNameIsNotTouched)
{
    for (const auto* kind : {"ip link add bgr7 type dummy", "ip tuntap add bgr7 mode tap"}) {
        must(kind);
        EXPECT_EQ(code_of([&] { taps.create(network); }), ErrorCode::AlreadyExists);
        EXPECT_EQ(code_of([&] { taps.up(network); }), ErrorCode::NotFound);
        EXPECT_EQ(taps.remove(network.altname), Removal::Absent);
        EXPECT_TRUE(taps.list().empty());
        must("ip link del bgr7");
    }
}

TEST_F(TapPort, OneWhoseAltnameIsInUseIsNotMade)
{
    must("ip link add other0 type dummy && ip link property add dev other0 altname banger-1000-web");
    EXPECT_EQ(code_of([&] { taps.create(network); }), ErrorCode::AlreadyExists);
    EXPECT_FALSE(taps.is_taken("bgr7"));
    must("ip link del other0");
}

TEST_F(TapPort, ALinkThatIsCalledAsAnAltnameIsAStrangers)
{
    must("ip link add banger-1000-web type dummy");
    EXPECT_EQ(taps.remove(network.altname), Removal::Absent);
    must("ip link del banger-1000-web");
}

}  // namespace
}  // namespace banger::broker::test
