// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/user_watch.hpp"

#include <utility>

namespace banger::agent {

UserWatch::UserWatch(EventLoop& loop, Hooks hooks, std::chrono::milliseconds interval)
    : loop_{&loop}, hooks_{std::move(hooks)}, interval_{interval}
{
    look_later();
}

void UserWatch::look_later()
{
    timer_ = loop_->after(std::chrono::duration_cast<EventLoop::Milliseconds>(interval_), [this] {
        spawn(look(), [this](std::exception_ptr) { look_later(); });  // what could not be looked up is looked up again
    });
}

Task<void> UserWatch::look()
{
    const auto heir = co_await hooks_.heir();
    if (!heir.empty()) {
        hooks_.found(heir);
    }
}

}  // namespace banger::agent
