// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/error.hpp"

namespace banger {
namespace {

/// fcntl(2), of another process's lock: both of the first two are said; the third is ours, at the end of the wait.
bool is_held(int problem) { return problem == EACCES || problem == EAGAIN || problem == EINTR; }

}  // namespace

std::optional<UniqueFd> lock_file(const std::string& file, std::chrono::seconds wait)
{
    UniqueFd lock{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)};
    if (!lock) {
        throw errno_error("can't open " + file, errno);
    }
    struct flock whole {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0
    };
    bool locked = ::fcntl(lock.get(), F_SETLK, &whole) == 0;
    int problem = locked ? 0 : errno;
    if (is_held(problem) && wait.count() > 0) {
        struct sigaction interrupt {};
        struct sigaction before {};
        interrupt.sa_handler = [](int) {};  // without SA_RESTART: the wait below ends
        ::sigaction(SIGALRM, &interrupt, &before);
        ::alarm(static_cast<unsigned>(wait.count()));
        locked = ::fcntl(lock.get(), F_SETLKW, &whole) == 0;
        problem = locked ? 0 : errno;
        ::alarm(0);
        ::sigaction(SIGALRM, &before, nullptr);
    }
    if (!locked && !is_held(problem)) {
        throw errno_error("can't lock " + file + ", whose file system must have locks (on NFS, its lock service)",
                          problem, ErrorCode::HostLacks);
    }
    return locked ? std::optional{std::move(lock)} : std::nullopt;
}

}  // namespace banger
