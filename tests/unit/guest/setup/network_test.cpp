// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/network.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// After sys/socket.h, which it needs.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/error.hpp"
#include "guest/setup/rtnetlink.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

bool is_up(const char* name)
{
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return ::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

/// An interface of a kind that needs no device; the kernel's modules decide which. Its index.
unsigned make_interface()
{
    for (const std::string kind : {"dummy", "veth", "ifb"}) {
        std::vector<std::uint8_t> request(sizeof(nlmsghdr) + sizeof(ifinfomsg));
        const auto attribute = [&](std::uint16_t type, const std::string& value) {
            const rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(value.size())), type};
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(&head);
            request.insert(request.end(), bytes, bytes + sizeof head);
            request.insert(request.end(), value.begin(), value.end());
            request.resize(RTA_ALIGN(request.size()));
        };
        attribute(IFLA_IFNAME, "test0");
        const rtattr nested{static_cast<std::uint16_t>(RTA_LENGTH(RTA_SPACE(kind.size()))), IFLA_LINKINFO};
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&nested);
        request.insert(request.end(), bytes, bytes + sizeof nested);
        attribute(IFLA_INFO_KIND, kind);
        nlmsghdr head{};
        head.nlmsg_len = static_cast<std::uint32_t>(request.size());
        head.nlmsg_type = RTM_NEWLINK;
        head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
        std::memcpy(request.data(), &head, sizeof head);
        const UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
        (void)!::send(socket.get(), request.data(), request.size(), 0);
        if (const auto index = ::if_nametoindex("test0"); index != 0) {
            return index;
        }
    }
    throw Impossible{"this kernel has neither dummy, veth nor ifb interfaces"};
}

/// The gateways of all default routes, as /proc/net/route writes them.
std::vector<std::string> default_gateways()
{
    std::vector<std::string> gateways;
    std::ifstream file{"/proc/self/net/route"};
    std::string line;
    std::getline(file, line);  // the head
    while (std::getline(file, line)) {
        std::istringstream fields{line};
        std::string interface;
        std::string destination;
        std::string gateway;
        fields >> interface >> destination >> gateway;
        if (destination == "00000000") {
            gateways.push_back(gateway);
        }
    }
    return gateways;
}

std::ptrdiff_t count(RouteSocket& routes, unsigned interface, const Prefix& address)
{
    const auto all = routes.addresses(interface);
    return std::count(all.begin(), all.end(), address);
}

TEST(ResolverTest, TheFileNamesServersAndDomains)
{
    wire::Network network;
    network.dns = {"10.0.0.1", "fd00::1"};
    EXPECT_EQ(resolver_config(network), "# written by banger-guest\nnameserver 10.0.0.1\nnameserver fd00::1\n");
    network.search = {"vm", "lan"};
    EXPECT_TRUE(resolver_config(network).ends_with("nameserver fd00::1\nsearch vm lan\n"));
}

TEST(PrefixTest, AddressesAreParsed)
{
    EXPECT_EQ(Prefix::parse("10.0.0.2/30"), (Prefix{AF_INET, {10, 0, 0, 2}, 30}));
    EXPECT_EQ(Prefix::parse("10.0.0.2"), (Prefix{AF_INET, {10, 0, 0, 2}, 32}));
    const auto six = Prefix::parse("fd00::1/64");
    EXPECT_EQ(six.family, AF_INET6);
    EXPECT_EQ(six.bytes.size(), 16U);
    EXPECT_EQ(six.length, 64);
    EXPECT_EQ(Prefix::parse("::1").length, 128);
    EXPECT_EQ(Prefix::parse("0.0.0.0/0").length, 0);
}

TEST(PrefixTest, WhatIsNoAddressIsRefused)
{
    for (const char* text : {"", "/24", "10.0.0", "10.0.0.2/", "10.0.0.2/33", "10.0.0.2/-1", "10.0.0.2/24x",
                             "10.0.0.2/256", "::1/129", "example.org", "10.0.0.2 ", "010.0.0.256"}) {
        try {
            (void)Prefix::parse(text);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        }
    }
}

TEST(NetworkTest, WithoutANetworkOnlyTheLoopbackIsUp)
{
    pass_in_namespaces(CLONE_NEWNET, [] {
        EXPECT_FALSE(is_up("lo"));
        set_network(std::nullopt);
        EXPECT_TRUE(is_up("lo"));
        EXPECT_NO_THROW(set_network(std::nullopt));
    });
}

TEST(NetworkTest, AnInterfaceThatIsNotThereIsNotFound)
{
    pass_in_namespaces(CLONE_NEWNET, [] {
        try {
            set_network(wire::Network{"02:00:00:ff:ff:fe", "10.0.0.2/30", "", {}, {}});
            ADD_FAILURE() << "was found";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::NotFound);
        }
        EXPECT_THROW(set_network(wire::Network{"", "10.0.0", "", {}, {}}), Error);
    });
}

TEST(RouteSocketTest, AnAddressIsSetOnceHoweverOften)
{
    pass_in_namespaces(CLONE_NEWNET, [] {
        RouteSocket routes;
        const auto lo = ::if_nametoindex("lo");
        routes.set_up(lo);
        for (const char* text : {"10.9.8.7/24", "fd00:9::7/64"}) {
            const auto address = Prefix::parse(text);
            routes.add_address(lo, address);
            routes.add_address(lo, address);
            EXPECT_EQ(count(routes, lo, address), 1) << text;
            routes.remove_address(lo, address);
            EXPECT_EQ(count(routes, lo, address), 0) << text;
            EXPECT_THROW(routes.remove_address(lo, address), Error);
        }
        EXPECT_TRUE(routes.addresses(lo + 1000).empty());
    });
}

TEST(RouteSocketTest, ADefaultRouteReplacesTheOlderOne)
{
    pass_in_namespaces(CLONE_NEWNET, [] {
        RouteSocket routes;
        const auto interface = make_interface();
        routes.add_address(interface, Prefix::parse("10.9.8.7/24"));
        routes.set_up(interface);
        routes.set_default_route(interface, Prefix::parse("10.9.8.1"));
        routes.set_default_route(interface, Prefix::parse("10.9.8.1"));
        EXPECT_EQ(default_gateways(), std::vector<std::string>{"0108090A"});
        routes.set_default_route(interface, Prefix::parse("192.0.2.1"));  // outside of the network, as with a /32
        EXPECT_EQ(default_gateways(), std::vector<std::string>{"010200C0"});
    });
}

TEST(RouteSocketTest, WhatTheKernelRefusesIsAFailureWithItsReason)
{
    pass_in_namespaces(CLONE_NEWNET, [] {
        RouteSocket routes;
        try {
            routes.set_up(4711);
            ADD_FAILURE() << "was found";
        } catch (const Error& error) {
            EXPECT_NE(std::string{error.what()}.find("No such device"), std::string::npos) << error.what();
        }
    });
}

}  // namespace
}  // namespace banger::guest::test
