// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>

namespace banger::broker {

/// The time of day, for what the journal keeps. Any thread.
using WallClock = std::function<std::chrono::sys_seconds()>;

inline std::chrono::sys_seconds wall_time()
{
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace banger::broker
