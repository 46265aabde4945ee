// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/user_namespace.hpp"

#include <pwd.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

std::string user_name()
{
    const auto* entry = ::getpwuid(::geteuid());
    return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

/// subuid(5): NAME-OR-UID:FIRST:COUNT
bool has_line(const char* file, const std::string& user)
{
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(user + ":") || line.starts_with(std::to_string(::geteuid()) + ":")) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::optional<MissingIds> missing_subordinate_ids()
{
    const auto user = user_name();
    const bool uids = has_line("/etc/subuid", user);
    const bool gids = has_line("/etc/subgid", user);
    if (::geteuid() == 0 || (uids && gids)) {
        return std::nullopt;
    }
    const std::string files = uids ? "/etc/subgid" : gids ? "/etc/subuid" : "/etc/subuid and /etc/subgid";
    const std::string mend = std::string{"usermod"} + (uids ? "" : " --add-subuids 100000-165535") +
                             (gids ? "" : " --add-subgids 100000-165535") + " " + user;
    return MissingIds{files + " have no line for " + user, mend};
}

std::vector<std::string> as_namespace_root(std::vector<std::string> argv, IdMap map)
{
    if (::geteuid() == 0) {
        return argv;
    }
    std::vector<std::string> words{find_program("unshare").string(), "--mount", "--pid", "--fork", "--kill-child"};
    if (map == IdMap::RootAlone) {
        words.emplace_back("--map-root-user");
    } else {
        find_program("newuidmap");
        if (const auto missing = missing_subordinate_ids()) {
            throw Error{ErrorCode::HostLacks, missing->why + ", so no image can be built; as root: " + missing->mend};
        }
        words.insert(words.end(), {"--map-root-user", "--map-auto"});
    }
    words.emplace_back("--");
    words.insert(words.end(), argv.begin(), argv.end());
    return words;
}

std::vector<std::string> with_own_mounts(std::vector<std::string> argv)
{
    if (::geteuid() != 0) {
        return argv;
    }
    std::vector<std::string> words{
        find_program("unshare").string(), "--mount", "--pid", "--fork", "--kill-child", "--"};
    auto trial = words;
    trial.push_back(find_program("true").string());
    if (!run_program({.argv = std::move(trial)}).ok()) {
        return argv;
    }
    words.insert(words.end(), argv.begin(), argv.end());
    return words;
}

void remove_tree(const std::filesystem::path& tree) noexcept
{
    std::error_code problem;
    if (!std::filesystem::exists(std::filesystem::symlink_status(tree, problem))) {
        return;
    }
    // mmdebstrap, as root, binds the host's /dev/shm into a tree; where it was killed, remove_all() would go on in there.
    if (::geteuid() != 0) {
        std::filesystem::remove_all(tree, problem);
        if (!problem) {
            return;
        }
    }
    try {
        run_program(
            {.argv = as_namespace_root({find_program("rm").string(), "-rf", "--one-file-system", "--", tree.string()},
                                       IdMap::Subordinate)});
    } catch (const Error&) {
        // The next start tries again.
    }
}

}  // namespace banger::agent
