// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/state_lock.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"
#include "common/file_lock.hpp"

namespace banger::broker {
namespace {

void make_private(const std::string& folder)
{
    constexpr mode_t others = S_IRWXG | S_IRWXO;
    struct stat status {};
    if (::mkdir(folder.c_str(), S_IRWXU) < 0 && errno != EEXIST) {
        throw errno_error("can't make " + folder, errno);
    }
    if (::lstat(folder.c_str(), &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
        (status.st_mode & others) != 0) {
        throw Error{ErrorCode::NotAuthorized, folder + " must be a folder of root's alone; chmod 700 " + folder};
    }
}

}  // namespace

std::optional<UniqueFd> lock_state_folder(const std::string& folder, LockWait wait)
{
    for (const char* part : {"", "/sandboxes", "/disks"}) {
        make_private(folder + part);
    }
    // A broker that is idle has given its name back, and so we were started, before it is gone.
    constexpr std::chrono::seconds a_while{3};
    auto lock = lock_file(folder + "/lock", wait == LockWait::No ? std::chrono::seconds{0} : a_while);
    if (!lock && wait == LockWait::AWhile) {
        throw Error{ErrorCode::AlreadyExists, "another banger-broker works in " + folder};
    }
    return lock;
}

}  // namespace banger::broker
