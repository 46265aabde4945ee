// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace banger::agent {

/// The IPv4 name servers of a resolv.conf(5), at most three, no loopback.
std::vector<std::string> parse_resolvers(std::string_view text);

/// Those that the host asks in the end: where its resolv.conf names only itself (systemd-resolved's stub), those behind it. `root`: "/".
std::vector<std::string> host_resolvers(const std::filesystem::path& root = "/");

}  // namespace banger::agent
