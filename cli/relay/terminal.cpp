// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace banger::cli {

WindowSize window_size() noexcept
{
    for (const int fd : {STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO}) {
        winsize size{};
        if (::ioctl(fd, TIOCGWINSZ, &size) == 0) {
            return {size.ws_row, size.ws_col};
        }
    }
    return {};
}

RawTerminal::RawTerminal(int fd) noexcept : fd_{fd}
{
    termios now{};
    if (::tcgetattr(fd, &now) == 0) {
        before_ = now;
        enter();
    }
}

RawTerminal::~RawTerminal()
{
    if (before_) {
        ::tcsetattr(fd_, TCSADRAIN, &*before_);
    }
}

void RawTerminal::enter() noexcept
{
    if (before_) {
        auto raw = *before_;
        ::cfmakeraw(&raw);
        ::tcsetattr(fd_, TCSADRAIN, &raw);
    }
}

}  // namespace banger::cli
