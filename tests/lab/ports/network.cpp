// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/ports/network.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::broker::test {

SandboxNetwork network_of(unsigned slot, uid_t uid, const std::string& id)
{
    const auto first = (172U << 24U) + (30U << 16U) + 4 * slot;
    return {.tap = "bgr" + std::to_string(slot),
            .altname = "banger-" + std::to_string(uid) + "-" + id,
            .uid = uid,
            .gateway = first + 1,
            .guest = first + 2,
            .mac = {0x02, 0xba, 0, 0, static_cast<std::uint8_t>(slot >> 8U), static_cast<std::uint8_t>(slot)},
            .nat = Nat::Off};
}

UniqueFd open_tap_as(uid_t uid, const std::string& name)
{
    UniqueFd tap{::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    ifreq request{};
    name.copy(request.ifr_name, sizeof request.ifr_name - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    // This thread alone, and with it its capabilities.
    ::syscall(SYS_setresuid, -1, uid, -1);
    const int done = ::ioctl(tap.get(), TUNSETIFF, &request);
    ::syscall(SYS_setresuid, -1, 0, -1);
    return done == 0 ? std::move(tap) : UniqueFd{};
}

}  // namespace banger::broker::test
