// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_route.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

sockaddr socket_address_of(const char* text)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, text, &address.sin_addr);
    sockaddr any{};
    std::memcpy(&any, &address, sizeof any);
    return any;
}

/// By loopback, in a network namespace where there is nothing else.
bool add_default_route()
{
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    char device[] = "lo";
    ifreq link{};
    std::strcpy(link.ifr_name, device);
    link.ifr_flags = IFF_UP;
    ifreq address{};
    std::strcpy(address.ifr_name, device);
    address.ifr_addr = socket_address_of("192.0.2.1");
    rtentry route{};
    route.rt_dst = socket_address_of("0.0.0.0");
    route.rt_genmask = socket_address_of("0.0.0.0");
    route.rt_flags = RTF_UP;
    route.rt_dev = device;
    return ::ioctl(socket.get(), SIOCSIFFLAGS, &link) == 0 && ::ioctl(socket.get(), SIOCSIFADDR, &address) == 0 &&
           ::ioctl(socket.get(), SIOCADDRT, &route) == 0;
}

enum RouteVerdict : int { Right, NoNamespace, EarlyRoute, NoEnd, EarlyEnd, NoRoute, NotTold };

/// Whether the wait has ended is the value.
std::shared_ptr<bool> wait_by(EventLoop& loop, EventLoop::Milliseconds limit, Promise<Unit> over = {})
{
    auto ended = std::make_shared<bool>(false);
    spawn(wait_for_route(loop, limit, std::move(over)), [ended](std::exception_ptr) { *ended = true; });
    return ended;
}

/// Some turns of the loop, until the wait has ended.
bool has_ended(EventLoop& loop, const std::shared_ptr<bool>& ended, int turns = 100)
{
    constexpr std::uint64_t turn_us = 100'000;
    for (int turn = 0; turn < turns && !*ended; ++turn) {
        sd_event_run(loop.get(), turn_us);
    }
    return *ended;
}

/// In a network of its own, which begins without any route.
RouteVerdict watch_a_route_come()
{
    using namespace std::chrono_literals;
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        return NoNamespace;
    }
    if (address_towards_outside()) {
        return EarlyRoute;
    }
    EventLoop loop;
    const Promise<Unit> over;
    const auto cancelled = wait_by(loop, 1h, over);
    over.set(Unit{});
    if (!*cancelled || !has_ended(loop, wait_by(loop, 1ms))) {
        return NoEnd;
    }
    const auto waits = wait_by(loop, 1h);
    if (has_ended(loop, waits, 1)) {
        return EarlyEnd;
    }
    if (!add_default_route() || address_towards_outside() != "192.0.2.1") {
        return NoRoute;
    }
    return has_ended(loop, waits) && *wait_by(loop, 1h) ? Right : NotTold;
}

TEST(HostRouteTest, AWaitEndsWithTheRouteThatComesAndWithItsLimit)
{
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::_exit(watch_a_route_come());
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == NoNamespace) {
        GTEST_SKIP() << "no user namespaces here";
    }
    EXPECT_EQ(WEXITSTATUS(status), Right);
}

}  // namespace
}  // namespace banger::agent
