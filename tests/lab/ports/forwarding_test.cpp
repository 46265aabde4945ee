// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "broker/system/posix_users.hpp"
#include "broker/system/proc_forwarding.hpp"
#include "tests/lab/ports/support.hpp"

namespace banger::broker::test {
namespace {

bool is_on(const std::string& interface)
{
    return must("cat /proc/sys/net/ipv4/conf/" + interface + "/forwarding") == "1\n";
}

/// Two interfaces, of which test0 carries a default route, the better one.
class ForwardingPort : public ::testing::Test {
public:
    ForwardingPort()
    {
        must(
            "echo 0 >/proc/sys/net/ipv4/ip_forward; for i in 0 1; do ip link add test$i type dummy && ip link set "
            "test$i up && "
            "ip addr add 198.18.$i.2/24 dev test$i; done; ip route add default via 198.18.0.1 dev test0 metric 5");
    }
    ~ForwardingPort() override { must("ip link del test0; ip link del test1; echo 0 >/proc/sys/net/ipv4/ip_forward"); }

    void guard(const std::vector<std::string>& interfaces)
    {
        guarded = interfaces;
        for (const auto& name : {"test0", "test1"}) {
            const bool is_guarded = std::find(interfaces.begin(), interfaces.end(), name) != interfaces.end();
            EXPECT_TRUE(is_guarded || !is_on(name) || unguarded_is_right) << name << " forwards unguarded";
        }
    }
    bool guards(const std::string& name) const
    {
        return std::find(guarded.begin(), guarded.end(), name) != guarded.end();
    }
    ProcForwarding make()
    {
        return {folder.path / "forwarding", [this](const auto& interfaces) { guard(interfaces); }};
    }

    TemporaryFolder folder;
    std::vector<std::string> guarded;
    bool unguarded_is_right{false};
};

TEST_F(ForwardingPort, ItFollowsTheDefaultRouteAndPutsBack)
{
    auto forwarding = make();
    forwarding.follow();
    EXPECT_TRUE(is_on("test0"));
    EXPECT_FALSE(is_on("test1"));
    EXPECT_FALSE(is_on("all"));
    EXPECT_TRUE(guards("test0"));
    EXPECT_TRUE(exists(folder.path / "forwarding"));
    must("ip route del default via 198.18.0.1 dev test0 && ip route add default via 198.18.1.1 dev test1 metric 5");
    forwarding.follow();
    EXPECT_FALSE(is_on("test0"));
    EXPECT_TRUE(is_on("test1"));
    EXPECT_FALSE(guards("test0"));
    EXPECT_TRUE(guards("test1"));
    forwarding.release();
    EXPECT_FALSE(is_on("test1"));
    EXPECT_TRUE(guarded.empty());
    EXPECT_FALSE(exists(folder.path / "forwarding"));
}

TEST_F(ForwardingPort, ALaterBrokerPutsBackWhatAKilledOneSwitchedOn)
{
    make().follow();
    EXPECT_TRUE(is_on("test0"));
    auto later = make();
    const auto names = later.switched_on();
    EXPECT_NE(std::find(names.begin(), names.end(), "test0"), names.end());
    later.release();
    EXPECT_FALSE(is_on("test0"));
}

TEST_F(ForwardingPort, ALaterBrokerGuardsWhatAKilledOneSwitchedOn)
{
    make().follow();
    auto later = make();
    for (const auto* why : {"its rules are new", "somebody may have taken them away"}) {
        guarded.clear();
        later.follow();
        EXPECT_TRUE(guards("test0")) << why;
    }
    later.release();
}

TEST_F(ForwardingPort, WhatWasOnBeforeStaysOn)
{
    must("echo 1 >/proc/sys/net/ipv4/conf/test0/forwarding");
    unguarded_is_right = true;
    auto forwarding = make();
    forwarding.follow();
    EXPECT_FALSE(guards("test0"));
    forwarding.release();
    EXPECT_TRUE(is_on("test0"));
}

TEST_F(ForwardingPort, WhatSomebodyElseSwitchesOnForAllStaysOn)
{
    auto forwarding = make();
    forwarding.follow();
    must("echo 1 >/proc/sys/net/ipv4/ip_forward");
    unguarded_is_right = true;
    forwarding.follow();
    EXPECT_TRUE(guarded.empty());
    forwarding.release();
    EXPECT_TRUE(is_on("test0"));
    EXPECT_TRUE(is_on("all"));
}

TEST_F(ForwardingPort, AnotherInterfaceOfThatNameIsNotTouched)
{
    auto forwarding = make();
    forwarding.follow();
    must("ip link del test0 && ip link add test0 type dummy && echo 1 >/proc/sys/net/ipv4/conf/test0/forwarding");
    unguarded_is_right = true;
    forwarding.release();
    EXPECT_TRUE(is_on("test0"));
}

TEST_F(ForwardingPort, HalfOfEverythingIsADefaultRouteToo)
{
    must("ip route add 0.0.0.0/1 dev test1 && ip route add 128.0.0.0/1 dev test1");
    auto forwarding = make();
    forwarding.follow();
    EXPECT_TRUE(is_on("test0"));
    EXPECT_TRUE(is_on("test1"));
    forwarding.release();
}

TEST(UsersPort, TheHostsUsersAreKnown)
{
    PosixUsers users;
    EXPECT_EQ(users.name_of(0), "root");
    EXPECT_EQ(users.name_of(1000), "alice");
    EXPECT_FALSE(users.name_of(54321));
}

}  // namespace
}  // namespace banger::broker::test
