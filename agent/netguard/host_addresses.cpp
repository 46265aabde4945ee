// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/host_addresses.hpp"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::netguard {
namespace {

template <std::size_t size, typename T>
std::span<const std::byte, size> bytes_of(const T& value) noexcept
{
    static_assert(sizeof value == size);
    return std::as_bytes(std::span<const T, 1>{&value, 1});
}

void add(std::vector<Prefix>& found, const sockaddr* address)
{
    if (address == nullptr) {  // an interface without one
        return;
    }
    if (address->sa_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
        found.push_back(Prefix::of(Address::v4(bytes_of<4>(v4))));
    } else if (address->sa_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
        found.push_back(Prefix::of(Address::v6(bytes_of<16>(v6))));
    }
}

}  // namespace

HostAddresses::HostAddresses() : socket_{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)}
{
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (!socket_ || ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) < 0) {
        throw errno_error("can't follow the host's addresses", errno);
    }
}

AddressSet HostAddresses::read()
{
    // Emptied first: what changes from here on is told again. What the messages say doesn't matter, nor that some were lost (ENOBUFS).
    std::array<std::byte, 8192> messages;
    while (::recv(socket_.get(), messages.data(), messages.size(), 0) > 0 || errno == ENOBUFS || errno == EINTR) {
    }
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) < 0) {
        throw errno_error("can't read the host's addresses", errno);
    }
    const c_ptr<ifaddrs, ::freeifaddrs> owned{list};
    std::vector<Prefix> found;
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        add(found, entry->ifa_addr);
    }
    return AddressSet{std::move(found)};
}

}  // namespace banger::netguard
