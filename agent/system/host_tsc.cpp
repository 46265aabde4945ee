// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_tsc.hpp"

#include <x86intrin.h>

#include <chrono>

namespace banger::agent {
namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
    Clock::time_point time;
    std::uint64_t ticks{0};
};

/// Clock and counter at one moment: the closest of some pairs, as a process may be interrupted between the two.
Sample sample()
{
    constexpr int tries = 16;
    Sample best;
    auto closest = Clock::duration::max();
    for (int i = 0; i < tries; ++i) {
        const auto before = Clock::now();
        const auto ticks = __rdtsc();
        const auto after = Clock::now();
        if (after - before < closest) {
            closest = after - before;
            best = {before + closest / 2, ticks};
        }
    }
    return best;
}

const Sample at_start = sample();

std::uint64_t measure()
{
    constexpr std::chrono::milliseconds least{10};
    auto now = sample();
    while (now.time - at_start.time < least) {
        now = sample();
    }
    const auto nanoseconds = std::chrono::nanoseconds{now.time - at_start.time}.count();
    return static_cast<std::uint64_t>(static_cast<double>(now.ticks - at_start.ticks) * 1e6 /
                                      static_cast<double>(nanoseconds));
}

}  // namespace

std::uint64_t host_tsc_khz()
{
    static const std::uint64_t rate = measure();
    return rate;
}

}  // namespace banger::agent
