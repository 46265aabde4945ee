// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/tun_ioctl.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "broker/system/net_sysctl.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {
namespace {

struct Setting {
    IpVersion version;
    const char* key;
    const char* value;
};

/// R27. Forwarding first, as the kernel sets accept_redirects and send_redirects anew with it (devinet.c, inet_forward_change).
constexpr std::array settings{
    Setting{IpVersion::V6, "disable_ipv6", "1"},   Setting{IpVersion::V6, "accept_ra", "0"},
    Setting{IpVersion::V4, "forwarding", "1"},     Setting{IpVersion::V4, "accept_redirects", "0"},
    Setting{IpVersion::V4, "send_redirects", "0"}, Setting{IpVersion::V4, "accept_source_route", "0"},
    Setting{IpVersion::V4, "rp_filter", "1"},      Setting{IpVersion::V4, "arp_ignore", "1"},
};

void harden(const std::string& tap)
{
    for (const auto& setting : settings) {
        if (!write_net_sysctl(setting.version, tap, setting.key, setting.value) && setting.version == IpVersion::V4) {
            throw Error{ErrorCode::Failed, std::string{"the kernel has no setting "} + setting.key + " for " + tap};
        }
    }
}

/// Gone with its descriptor, as long as it isn't persistent.
UniqueFd make_tap(const std::string& name)
{
    UniqueFd tap{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
    if (!tap) {
        throw errno_error("/dev/net/tun does not open", errno, ErrorCode::HostLacks);
    }
    ifreq request{};
    if (name.empty() || name.size() >= sizeof request.ifr_name) {
        throw Error{ErrorCode::Internal, "a TAP's name is too long"};
    }
    name.copy(request.ifr_name, name.size());
    // TUN_EXCL has a flag of ifr_flags' sign bit.
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    if (::ioctl(tap.get(), TUNSETIFF, &request) < 0) {
        // EINVAL: a link of another kind has the name.
        const int error = errno;
        const bool taken = error == EBUSY || error == EEXIST || ::if_nametoindex(name.c_str()) != 0;
        throw errno_error("can't make the TAP " + name, error, taken ? ErrorCode::AlreadyExists : ErrorCode::Failed);
    }
    return tap;
}

}  // namespace

void TunTaps::create(const SandboxNetwork& network)
{
    const auto tap = make_tap(network.tap);
    if (::ioctl(tap.get(), TUNSETOWNER, static_cast<unsigned long>(network.uid)) < 0) {
        throw errno_error("can't give the TAP to its user", errno);
    }
    rtnetlink_.add_altname(::if_nametoindex(network.tap.c_str()), network.altname);
    harden(network.tap);
    if (::ioctl(tap.get(), TUNSETPERSIST, 1UL) < 0) {
        throw errno_error("can't keep the TAP", errno);
    }
}

void TunTaps::up(const SandboxNetwork& network)
{
    const auto link = rtnetlink_.link_called(network.altname);
    if (!link || link->name != network.tap) {
        throw Error{ErrorCode::NotFound, "the TAP " + network.tap + " is gone"};
    }
    rtnetlink_.add_address(link->index, network.gateway, SandboxNetwork::prefix);
    rtnetlink_.set_state(link->index, Rtnetlink::LinkState::Up);
}

void TunTaps::down(const SandboxNetwork& network) noexcept
{
    try {
        if (const auto link = rtnetlink_.link_called(network.altname)) {
            rtnetlink_.set_state(link->index, Rtnetlink::LinkState::Down);
        }
    } catch (const std::exception& problem) {
        spdlog::error("the TAP {} can't be taken down: {}", network.tap, problem.what());
    }
}

Removal TunTaps::remove(const std::string& altname)
{
    const auto link = rtnetlink_.link_called(altname);
    return link && altname.starts_with(SandboxKey::mark_prefix) && rtnetlink_.remove(link->index) ? Removal::Removed
                                                                                                  : Removal::Absent;
}

std::vector<Taps::Tap> TunTaps::list()
{
    std::vector<Tap> taps;
    for (const auto& link : rtnetlink_.links()) {
        for (const auto& altname : link.altnames) {
            if (!altname.starts_with(SandboxKey::mark_prefix)) {
                continue;
            }
            try {
                taps.push_back({link.name, SandboxKey::parse_mark(altname), link.index});
            } catch (const Error&) {  // NOLINT(bugprone-empty-catch): no name of ours
            }
        }
    }
    return taps;
}

bool TunTaps::is_taken(const std::string& name) { return rtnetlink_.link_named(name).has_value(); }

}  // namespace banger::broker
