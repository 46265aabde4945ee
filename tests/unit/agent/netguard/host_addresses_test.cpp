// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/host_addresses.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace banger::netguard {
namespace {

bool is_readable(int fd)
{
    constexpr int limit_ms = 10'000;
    pollfd source{fd, POLLIN, 0};
    return ::poll(&source, 1, limit_ms) == 1;
}

void switch_on_loopback()
{
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    ::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

enum Verdict : int { Told, NoNamespace, EarlyAddress, NotTold, NoAddress, ToldAgain };

/// In a network of its own, which begins with one interface and no address.
Verdict watch_loopback_come_up()
{
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        return NoNamespace;
    }
    HostAddresses host;
    const auto loopback = Address::parse("127.0.0.1");
    if (host.read().contains(loopback)) {
        return EarlyAddress;
    }
    switch_on_loopback();
    if (!is_readable(host.fd())) {
        return NotTold;
    }
    // IPv6's comes on its own, maybe later: what counts is that it is told.
    auto now = host.read();
    while (!now.contains(Address::parse("::1")) && is_readable(host.fd())) {
        now = host.read();
    }
    pollfd source{host.fd(), POLLIN, 0};
    if (::poll(&source, 1, 0) != 0) {
        return ToldAgain;
    }
    return now.contains(loopback) ? Told : NoAddress;
}

TEST(HostAddressesTest, ANewAddressIsToldAndRead)
{
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::_exit(watch_loopback_come_up());
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == NoNamespace) {
        GTEST_SKIP() << "no user namespaces here";
    }
    EXPECT_EQ(WEXITSTATUS(status), Told);
}

TEST(HostAddressesTest, AnAddressOfNobodysIsNotAmongThem)
{
    HostAddresses host;
    const auto now = host.read();
    EXPECT_FALSE(now.contains(Address::parse("198.51.100.200")));
    EXPECT_FALSE(now.contains(Address::parse("2001:db8::dead")));
}

}  // namespace
}  // namespace banger::netguard
