// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "agent/core/desktop/notice.hpp"
#include "agent/core/task.hpp"

namespace banger::agent {

/// The notification daemon of the user's desktop, which may not be there, come, go and hang. Loop thread.
class Notifier {
public:
    Notifier() = default;
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;
    virtual ~Notifier() = default;

    /// Shows it, in place of the one that is shown with its key; one call at a time. Throws HostLacks (no daemon), Unavailable, Failed.
    virtual Task<void> show(Notice notice) = 0;
    /// Told when a person has chosen a notice's action; once a notice. Set before the first show().
    virtual void on_action(std::function<void(NoticeAction action, std::string subject)> chosen) = 0;
};

}  // namespace banger::agent
