// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

namespace banger::broker {

enum class IpVersion { V4, V6 };

/// /proc/sys/net/ipvN/conf/INTERFACE/KEY; interface may be "all", too. nullopt: there is no such thing, as without IPv6. Throws Failed.
std::optional<std::string> read_net_sysctl(IpVersion version, const std::string& interface, const std::string& key);
/// False: there is no such thing. Throws Failed.
bool write_net_sysctl(IpVersion version, const std::string& interface, const std::string& key,
                      const std::string& value);

}  // namespace banger::broker
