// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/messages.hpp"

#include <functional>
#include <string_view>

namespace banger::guest {

/// Whether a network card or disk of this name is to be counted.
using IsCounted = std::function<bool(std::string_view name)>;

/// What a device has moved since the guest's boot.
struct Moved {
    std::uint64_t in{0};   ///< bytes received, or read
    std::uint64_t out{0};  ///< bytes sent, or written
};

/// Sums of a /proc/net/dev (net/core/net-procfs.c of the kernel). Lines that are none are left out.
Moved network_moved(std::string_view text, const IsCounted& is_counted);
/// Sums of a /proc/diskstats (Documentation/admin-guide/iostats.rst), whose sectors have 512 bytes.
Moved disks_moved(std::string_view text, const IsCounted& is_counted);

/// How this machine does.
wire::StatsResult machine_stats();

}  // namespace banger::guest
