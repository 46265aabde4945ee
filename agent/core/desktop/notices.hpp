// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/core/desktop/notice_queue.hpp"
#include "agent/ports/notifier.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

/// Shows notices, one after the other and no faster than NoticeQueue lets them. A daemon that isn't there is no error: what was to be shown
/// is dropped, and it is asked again after a while. Loop thread.
class Notices {
public:
    using Time = NoticeQueue::Time;
    struct Hooks {
        std::function<bool()> wanted;  ///< by the settings as they are now
        std::function<Time()> now;
        std::function<void(const std::string&)> log;  ///< what is missing, once
    };
    /// After a daemon that could not show one. Each try may start one by the bus, so there are few.
    static constexpr std::chrono::seconds pause{60};

    Notices(EventLoop& loop, Notifier& notifier, Hooks hooks);

    void tell(Notice notice);
    /// One that waits need not be shown any more.
    void withdraw(const std::string& key) { queue_.withdraw(key); }

private:
    void go_on();
    Task<void> show(Notice notice);
    void after(std::exception_ptr failure);

    EventLoop* loop_;
    Notifier* notifier_;
    Hooks hooks_;
    NoticeQueue queue_;
    bool showing_{false};
    bool failure_told_{false};
    std::optional<Time> pause_end_;
    EventLoop::Source timer_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
