// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/desktop/notice.hpp"

namespace banger::agent {

/// Notices that wait to be shown, at a rate that a person bears: `burst` at once, then one each `interval` (a token bucket). Where more
/// wait than there are tokens, the last token goes to one line that sums them up. A time of one call is never before that of another.
class NoticeQueue {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::size_t burst = 4;
    static constexpr std::chrono::seconds interval{30};
    /// More are counted, and not kept.
    static constexpr std::size_t most_kept = 64;
    static constexpr auto sum_key = "sum";

    /// Takes the place of one with its key that waits.
    void add(Notice notice);
    /// Nobody need know any more.
    void withdraw(const std::string& key);
    void clear() noexcept;
    /// What to show now, which takes a token; nullopt: nothing waits, or there is no token.
    std::optional<Notice> next(Time now);
    /// How long until next() gives one; nullopt: nothing waits.
    std::optional<std::chrono::milliseconds> wait(Time now);

private:
    void refill(Time now);
    std::size_t waiting() const noexcept { return kept_.size() + uncounted_; }
    Notice sum() const;

    std::vector<Notice> kept_;
    std::size_t uncounted_{0};  ///< that came when `most_kept` were there
    std::size_t tokens_{burst};
    Time refilled_{};
};

}  // namespace banger::agent
