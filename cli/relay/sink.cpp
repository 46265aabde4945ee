// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/sink.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::cli {

// pipe(7): POLLOUT means room for PIPE_BUF. A terminal promises fewer (WAKEUP_CHARS in drivers/tty/n_tty.c, Linux 6.1).
constexpr std::size_t terminal_piece = 256;

Sink::Sink(int fd) : fd_{fd}, kind_{Kind::File}, piece_{PIPE_BUF}
{
    struct stat status {};
    if (::fstat(fd, &status) < 0) {
        return;
    }
    if (S_ISSOCK(status.st_mode)) {
        kind_ = Kind::Socket;
    } else if (S_ISFIFO(status.st_mode) || ::isatty(fd) == 1) {
        own_ = UniqueFd{
            ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
        kind_ = own_ ? Kind::Own : Kind::Shared;
        piece_ = S_ISFIFO(status.st_mode) ? PIPE_BUF : terminal_piece;
    }
}

std::optional<std::size_t> Sink::write(std::span<const char> data) noexcept
{
    ssize_t written = -1;
    switch (kind_) {
        case Kind::Socket:
            written = ::send(fd_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            break;
        case Kind::Shared: {
            pollfd writable{fd_, POLLOUT, 0};
            if (::poll(&writable, 1, 0) == 0) {
                return 0;
            }
            written = ::write(fd_, data.data(), std::min(data.size(), piece_));
            break;
        }
        case Kind::File:
        case Kind::Own:
            written = ::write(fd(), data.data(), data.size());
    }
    if (written >= 0) {
        return static_cast<std::size_t>(written);
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? std::optional<std::size_t>{0} : std::nullopt;
}

}  // namespace banger::cli
