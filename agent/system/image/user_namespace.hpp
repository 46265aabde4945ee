// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace banger::agent {

enum class IdMap {
    RootAlone,    ///< uid 0 inside is the user; any other uid can't be had
    Subordinate,  ///< and 1 to 65535 are the user's subordinate ids
};

/// The command line that runs `argv` as root of a user namespace, where files keep the owners they are given, and where all
/// processes die with the first; for root it is `argv` itself. Throws HostLacks (no unshare, newuidmap or subordinate ids).
std::vector<std::string> as_namespace_root(std::vector<std::string> argv, IdMap map);

/// Removes a tree that may hold files of subordinate ids.
void remove_tree(const std::filesystem::path& tree) noexcept;

/// Why this user has no subordinate ids, and the usermod command that gives some; none when there are.
struct MissingIds {
    std::string why;
    std::string mend;
};
std::optional<MissingIds> missing_subordinate_ids();

}  // namespace banger::agent
