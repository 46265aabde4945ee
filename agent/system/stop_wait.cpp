// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/stop_wait.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "common/error.hpp"

namespace banger::agent {
namespace {

UniqueFd make_wake()
{
    UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake) {
        throw errno_error("can't make an eventfd", errno);
    }
    return wake;
}

}  // namespace

StopWait::StopWait(std::stop_token stop)
    : wake_{make_wake()}, stop_{std::move(stop)}, call_{stop_, [fd = wake_.get()] { ::eventfd_write(fd, 1); }}
{
}

void StopWait::until_ready(int file, short events) const
{
    for (;;) {
        if (stop_.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
        pollfd waited[]{{file, events, 0}, {wake_.get(), POLLIN, 0}};
        const int ready = ::poll(static_cast<pollfd*>(waited), 2, -1);
        if (ready < 0 && errno != EINTR) {
            throw errno_error("can't wait for the other end", errno);
        }
        if (ready > 0 && waited[0].revents != 0) {
            return;
        }
    }
}

}  // namespace banger::agent
