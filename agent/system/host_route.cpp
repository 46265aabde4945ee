// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_route.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

/// Readable when an IPv4 route has come or gone; none where that can't be had.
UniqueFd open_route_news()
{
    UniqueFd news{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_IPV4_ROUTE;
    if (news && ::bind(news.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) < 0) {
        news.reset();
    }
    return news;
}

/// What the messages say is asked for anew instead: some may have been lost (ENOBUFS).
void drop_route_news(const UniqueFd& news)
{
    std::array<char, 8192> messages;
    while (::recv(news.get(), messages.data(), messages.size(), 0) > 0 || errno == ENOBUFS || errno == EINTR) {
    }
}

}  // namespace

/// Connecting a UDP socket sends nothing (udp(7)).
std::optional<std::string> address_towards_outside()
{
    const UniqueFd probe{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(53);
    ::inet_pton(AF_INET, "192.88.99.1", &there.sin_addr);  // any address outside: only the route is asked for
    sockaddr_in here{};
    socklen_t size = sizeof here;
    if (!probe || ::connect(probe.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) < 0 ||
        ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&here), &size) < 0) {
        return std::nullopt;
    }
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &here.sin_addr, text.data(), text.size());
    return text.data();
}

Task<void> wait_for_route(EventLoop& loop, EventLoop::Milliseconds limit, Promise<Unit> over)
{
    const auto news = open_route_news();  // before the first look: what comes after it is told
    if (!news || address_towards_outside()) {
        co_return;
    }
    const auto look = [&news, over](std::uint32_t) {
        drop_route_news(news);
        if (address_towards_outside()) {
            over.set(Unit{});
        }
    };
    const auto source = loop.on_io(news.get(), EventLoop::readable, look);
    const Error late{ErrorCode::TimedOut, "no route came"};
    try {
        co_await over.wait(loop, limit, late);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): then it is to be done without
    }
}

}  // namespace banger::agent
