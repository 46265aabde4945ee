// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {

/// Calls when `folder`/passwd is written or replaced, inotify(7): what useradd, userdel, usermod and vipw do. Of a directory service nobody tells.
/// Loop thread. Throws Failed (there are no more watches to be had).
class UserWatch {
public:
    UserWatch(EventLoop& loop, std::function<void()> changed, const std::string& folder = "/etc");
    UserWatch(const UserWatch&) = delete;
    UserWatch& operator=(const UserWatch&) = delete;

private:
    void read();

    UniqueFd inotify_;
    std::function<void()> changed_;
    EventLoop::Source source_;
};

}  // namespace banger::broker
