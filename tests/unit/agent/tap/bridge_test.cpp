// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/bridge.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "agent/tap/frame_relay.hpp"
#include "agent/tap/own_namespace.hpp"
#include "common/error.hpp"

namespace banger::tap {
namespace {

enum BridgeVerdict : int { Passed, NotHere, NoGuest, Lost };

/// As the VMM does, without a header before each frame.
UniqueFd open_guest_device()
{
    UniqueFd tap{::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    ifreq request{};
    std::strcpy(request.ifr_name, guest_device);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (tap && ::ioctl(tap.get(), TUNSETIFF, &request) < 0) {
        tap.reset();
    }
    return tap;
}

/// Of an experimental type, which no host looks into.
std::string frame_of(std::size_t size)
{
    std::string frame = "\x02guest\x02relay\x88\xb5";
    frame.resize(size, 'x');
    return frame;
}

/// Sent again until it comes: a bridge forwards nothing from a device whose carrier it has not heard of yet, which may take it a second.
bool passes(const UniqueFd& from, const UniqueFd& to, const std::string& frame)
{
    constexpr int attempts = 100;
    constexpr int pause_ms = 100;
    std::string got(2 * FrameRelay::frame_limit, '\0');
    for (int attempt = 0; attempt < attempts; ++attempt) {
        if (::write(from.get(), frame.data(), frame.size()) < 0) {
            return false;
        }
        pollfd source{to.get(), POLLIN, 0};
        while (::poll(&source, 1, pause_ms) == 1) {  // br0 has a word of its own between
            const auto size = ::read(to.get(), got.data(), got.size());
            if (size > 0 && got.compare(0, static_cast<std::size_t>(size), frame) == 0) {
                return true;
            }
        }
    }
    return false;
}

BridgeVerdict send_frames_both_ways()
{
    UniqueFd relay;
    try {
        enter_own_namespace();
        relay = make_bridged_tap();
    } catch (const Error&) {
        return NotHere;
    }
    const auto guest = open_guest_device();
    if (!guest) {
        return NoGuest;
    }
    for (const std::size_t size : {std::size_t{60}, std::size_t{1514}, std::size_t{4042}, FrameRelay::frame_limit}) {
        const auto frame = frame_of(size);
        if (!passes(relay, guest, frame) || !passes(guest, relay, frame)) {
            return Lost;
        }
    }
    return Passed;
}

TEST(BridgeTest, FramesOfAnySizePassBothWays)
{
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::_exit(send_frames_both_ways());
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == NotHere) {
        GTEST_SKIP() << "no user namespaces, or no TAP, here";
    }
    EXPECT_EQ(WEXITSTATUS(status), Passed);
}

}  // namespace
}  // namespace banger::tap
