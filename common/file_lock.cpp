// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/error.hpp"

namespace banger {

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
    if (!locked && wait.count() > 0) {
        struct sigaction interrupt {};
        struct sigaction before {};
        interrupt.sa_handler = [](int) {};  // without SA_RESTART: the wait below ends
        ::sigaction(SIGALRM, &interrupt, &before);
        ::alarm(static_cast<unsigned>(wait.count()));
        locked = ::fcntl(lock.get(), F_SETLKW, &whole) == 0;
        ::alarm(0);
        ::sigaction(SIGALRM, &before, nullptr);
    }
    return locked ? std::optional{std::move(lock)} : std::nullopt;
}

}  // namespace banger
