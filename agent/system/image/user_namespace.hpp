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

/// For what mounts in a tree and has children: with mounts and processes of its own, which are gone with its first process, as everything that
/// as_namespace_root() gives a user has. For root; where the host lets root have none of that, which then can't mount either, `argv` itself.
/// Throws HostLacks (no unshare).
std::vector<std::string> with_own_mounts(std::vector<std::string> argv);

/// Removes a tree that may hold files of subordinate ids. What is mounted in it stays as it is.
void remove_tree(const std::filesystem::path& tree) noexcept;

/// Why this user has no subordinate ids, and the usermod command that gives some; none when there are.
struct MissingIds {
    std::string why;
    std::string mend;
};
std::optional<MissingIds> missing_subordinate_ids();

}  // namespace banger::agent
