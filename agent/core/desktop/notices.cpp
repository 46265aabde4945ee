// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/notices.hpp"

#include <utility>

#include "agent/core/operation.hpp"

namespace banger::agent {

Notices::Notices(EventLoop& loop, Notifier& notifier, Hooks hooks)
    : loop_{&loop}, notifier_{&notifier}, hooks_{std::move(hooks)}
{
}

void Notices::tell(Notice notice)
{
    const bool pauses = pause_end_ && hooks_.now() < *pause_end_;
    if (pauses || !hooks_.wanted()) {
        return;
    }
    queue_.add(std::move(notice));
    go_on();
}

/// Shows the next one, unless one is on its way: who comes meanwhile waits in the queue, however many they are.
void Notices::go_on()
{
    if (showing_) {
        return;
    }
    timer_.reset();
    if (!hooks_.wanted()) {
        queue_.clear();  // switched off meanwhile
    }
    const auto now = hooks_.now();
    if (auto next = queue_.next(now)) {
        showing_ = true;
        spawn(show(std::move(*next)), [this, alive = std::weak_ptr{alive_}](std::exception_ptr failure) {
            if (alive.lock()) {
                after(std::move(failure));
            }
        });
    } else if (const auto wait = queue_.wait(now)) {
        timer_ = loop_->after(*wait, [this] { go_on(); });
    }
}

Task<void> Notices::show(Notice notice) { co_await notifier_->show(std::move(notice)); }

void Notices::after(std::exception_ptr failure)
{
    showing_ = false;
    if (failure) {
        pause_end_ = hooks_.now() + pause;
        queue_.clear();
        if (!std::exchange(failure_told_, true)) {
            hooks_.log(std::string{"notifications are not shown: "} + to_error(failure).what());
        }
        return;
    }
    failure_told_ = false;
    pause_end_.reset();
    // Not from here: a notifier that answers at once would have us call ourselves, a notice deeper each time.
    timer_ = loop_->after(EventLoop::Milliseconds{0}, [this] { go_on(); });
}

}  // namespace banger::agent
