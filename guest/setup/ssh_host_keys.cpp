// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/ssh_host_keys.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "guest/core/run_program.hpp"

namespace banger::guest {
namespace {

namespace fs = std::filesystem;

/// Of its only holder at a time, until it is closed.
UniqueFd lock(const fs::path& folder)
{
    UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    while (fd && ::flock(fd.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            fd.reset();
        }
    }
    if (!fd) {
        throw errno_error(folder.string() + " of the guest", errno);
    }
    return fd;
}

/// On the disk under its final name, whole or not at all.
void put(const fs::path& from, const fs::path& to)
{
    const UniqueFd file{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file || ::fsync(file.get()) != 0 || ::rename(from.c_str(), to.c_str()) != 0) {
        throw errno_error(to.string(), errno);
    }
}

}  // namespace

std::vector<std::string> ssh_host_keys(const std::string& folder)
{
    std::vector<std::string> keys;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{folder, ignored}) {
        const auto name = entry.path().filename().string();
        auto private_half = entry.path();
        private_half.replace_extension();
        std::string line;
        if (name.starts_with("ssh_host_") && name.ends_with("_key.pub") && fs::exists(private_half, ignored) &&
            std::getline(std::ifstream{entry.path()}, line)) {
            keys.push_back(line);
        }
    }
    std::sort(keys.begin(), keys.end());
    return keys;
}

void make_ssh_host_keys(const std::string& folder)
{
    if (!ssh_host_keys(folder).empty()) {
        return;
    }
    if (!fs::is_directory(folder)) {
        throw Error{ErrorCode::NotFound, "The guest has no OpenSSH: there is no " + folder};
    }
    const auto held = lock(folder);
    if (!ssh_host_keys(folder).empty()) {
        return;  // somebody made it meanwhile
    }
    const fs::path fresh = fs::path{folder} / ".banger_key";
    const fs::path fresh_public = fresh.string() + ".pub";
    const fs::path wanted = fs::path{folder} / "ssh_host_ed25519_key";
    fs::remove(fresh);
    fs::remove(fresh_public);
    if (run_program({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "root", "-f", fresh.string()}) != 0) {
        throw Error{ErrorCode::Failed, "ssh-keygen in the guest made no host key"};
    }
    put(fresh, wanted);
    put(fresh_public, wanted.string() + ".pub");
}

}  // namespace banger::guest
