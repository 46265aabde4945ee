// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/state_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/error.hpp"

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

/// A broker that is idle has given its name back, and so we were started, before it is gone.
bool lock_in_time(int fd, struct flock& whole)
{
    struct sigaction interrupt {};
    struct sigaction before {};
    interrupt.sa_handler = [](int) {};  // without SA_RESTART: the wait below ends
    ::sigaction(SIGALRM, &interrupt, &before);
    constexpr unsigned limit_s = 3;
    ::alarm(limit_s);
    const bool locked = ::fcntl(fd, F_SETLKW, &whole) == 0;
    ::alarm(0);
    ::sigaction(SIGALRM, &before, nullptr);
    return locked;
}

}  // namespace

UniqueFd lock_state_folder(const std::string& folder, LockWait wait)
{
    for (const char* part : {"", "/sandboxes", "/disks"}) {
        make_private(folder + part);
    }
    const auto path = folder + "/lock";
    UniqueFd lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)};
    if (!lock) {
        throw errno_error("can't open " + path, errno);
    }
    struct flock whole {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0
    };
    if (wait == LockWait::No) {
        return ::fcntl(lock.get(), F_SETLK, &whole) == 0 ? std::move(lock) : UniqueFd{};
    }
    if (!lock_in_time(lock.get(), whole)) {
        throw Error{ErrorCode::AlreadyExists, "another banger-broker works in " + folder};
    }
    return lock;
}

}  // namespace banger::broker
