// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/carrier_watch.hpp"

#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/tap/bridge.hpp"
#include "common/error.hpp"

namespace banger::tap {

CarrierWatch::CarrierWatch()
    : netlink_{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)},
      control_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}
{
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (!netlink_ || !control_ ||
        ::bind(netlink_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error("can't watch the links", errno);
    }
    look();
}

/// What the messages say is asked for anew instead: some may have been lost (ENOBUFS), and the state is one ioctl away.
void CarrierWatch::update()
{
    std::array<char, 8192> rest;
    while (::recv(netlink_.get(), rest.data(), rest.size(), 0) > 0 || errno == ENOBUFS) {
    }
    look();
}

void CarrierWatch::look()
{
    // Not IFF_RUNNING: the kernel sets that some time after the carrier (operstates.rst), so at the start it may still be that of our own
    // making of the device, and its end would be taken for the VMM's.
    ethtool_value link{.cmd = ETHTOOL_GLINK, .data = 0};
    ifreq request{};
    std::strncpy(request.ifr_name, guest_device, sizeof request.ifr_name - 1);
    request.ifr_data = reinterpret_cast<char*>(&link);
    if (::ioctl(control_.get(), SIOCETHTOOL, &request) < 0) {
        throw errno_error("can't look at the VMM's device", errno);
    }
    up_ = link.data != 0;
    was_up_ = was_up_ || up_;
}

}  // namespace banger::tap
