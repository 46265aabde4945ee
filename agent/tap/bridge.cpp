// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/bridge.hpp"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "agent/tap/frame_relay.hpp"
#include "common/error.hpp"

namespace banger::tap {
namespace {

constexpr auto relay_device = "relay0";
constexpr auto bridge_device = "br0";
// What a frame may hold: passt makes one of a datagram, however long, and a bridge drops what is longer than the next device's MTU. The guest's
// own MTU is 1500 all the same, and what its TCP agrees on goes by that.
constexpr int most_payload = FrameRelay::frame_limit - ETH_HLEN;

ifreq request_for(const char* device)
{
    ifreq request{};
    std::strncpy(request.ifr_name, device, sizeof request.ifr_name - 1);
    return request;
}

/// TAP by TUNSETIFF, Documentation/networking/tuntap.rst.
UniqueFd make_tap(const char* device)
{
    UniqueFd tap{::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    if (!tap) {
        throw errno_error("/dev/net/tun does not open", errno, ErrorCode::HostLacks);
    }
    auto request = request_for(device);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (::ioctl(tap.get(), TUNSETIFF, &request) < 0) {
        throw errno_error(std::string{"can't make the TAP "} + device, errno);
    }
    return tap;
}

void set_up(int control, const char* device)
{
    auto request = request_for(device);
    if (::ioctl(control, SIOCGIFFLAGS, &request) < 0) {
        throw errno_error(std::string{"can't look at "} + device, errno);
    }
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (::ioctl(control, SIOCSIFFLAGS, &request) < 0) {
        throw errno_error(std::string{"can't bring up "} + device, errno);
    }
}

void join(int control, const char* device)
{
    auto size = request_for(device);
    size.ifr_mtu = most_payload;
    if (::ioctl(control, SIOCSIFMTU, &size) < 0) {
        throw errno_error(std::string{"can't set the MTU of "} + device, errno);
    }
    auto request = request_for(bridge_device);
    request.ifr_ifindex = static_cast<int>(::if_nametoindex(device));
    if (::ioctl(control, SIOCBRADDIF, &request) < 0) {
        throw errno_error(std::string{"can't bridge "} + device, errno);
    }
}

/// Where /proc/sys is read-only (some containers) br0 speaks IPv6 to the guest, which finds no router in it.
void switch_ipv6_off()
{
    for (const auto* path :
         {"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"}) {
        const UniqueFd file{::open(path, O_WRONLY | O_CLOEXEC)};
        if (file) {
            (void)!::write(file.get(), "1", 1);
        }
    }
}

}  // namespace

UniqueFd make_bridged_tap()
{
    switch_ipv6_off();
    const auto guest = make_tap(guest_device);
    if (::ioctl(guest.get(), TUNSETOWNER, static_cast<unsigned long>(::geteuid())) < 0 ||
        ::ioctl(guest.get(), TUNSETPERSIST, 1UL) < 0) {
        throw errno_error("can't keep the TAP for the VMM", errno);
    }
    auto relay = make_tap(relay_device);
    const UniqueFd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!control || ::ioctl(control.get(), SIOCBRADDBR, bridge_device) < 0) {
        throw errno_error("can't make a bridge", errno);
    }
    for (const auto* device : {guest_device, relay_device}) {
        join(control.get(), device);
    }
    for (const auto* device : {bridge_device, guest_device, relay_device}) {
        set_up(control.get(), device);
    }
    return relay;
}

}  // namespace banger::tap
