// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/notice_queue.hpp"

#include <algorithm>

namespace banger::agent {

void NoticeQueue::add(Notice notice)
{
    const auto same =
        std::find_if(kept_.begin(), kept_.end(), [&](const Notice& other) { return other.key == notice.key; });
    if (same != kept_.end()) {
        *same = std::move(notice);
    } else if (kept_.size() < most_kept) {
        kept_.push_back(std::move(notice));
    } else {
        ++uncounted_;
    }
}

void NoticeQueue::withdraw(const std::string& key)
{
    std::erase_if(kept_, [&key](const Notice& notice) { return notice.key == key; });
}

void NoticeQueue::clear() noexcept
{
    kept_.clear();
    uncounted_ = 0;
}

void NoticeQueue::refill(Time now)
{
    if (tokens_ == burst) {
        refilled_ = now;
        return;
    }
    const auto gained = (now - refilled_) / interval;
    refilled_ += gained * interval;
    tokens_ = std::min(burst, tokens_ + static_cast<std::size_t>(gained));
}

std::optional<Notice> NoticeQueue::next(Time now)
{
    refill(now);
    if (waiting() == 0 || tokens_ == 0) {
        return std::nullopt;
    }
    const bool is_last_token = tokens_ == 1;
    --tokens_;
    if (kept_.empty() || (waiting() > 1 && is_last_token)) {
        auto all = sum();
        clear();
        return all;
    }
    auto first = std::move(kept_.front());
    kept_.erase(kept_.begin());
    return first;
}

std::optional<std::chrono::milliseconds> NoticeQueue::wait(Time now)
{
    refill(now);
    if (waiting() == 0) {
        return std::nullopt;
    }
    return tokens_ > 0 ? std::chrono::milliseconds{0}
                       : std::chrono::ceil<std::chrono::milliseconds>(refilled_ + interval - now);
}

Notice NoticeQueue::sum() const
{
    constexpr std::size_t most_names = 3;
    std::string names;
    std::size_t named = 0;
    for (const auto& notice : kept_) {
        if (named == most_names) {
            break;
        }
        names += (named == 0 ? "" : ", ") + notice.about;
        ++named;
    }
    const auto rest = waiting() - named;
    if (rest > 0) {
        names += (named == 0 ? "" : " and ") + std::to_string(rest) + " more";
    }
    return {.key = sum_key,
            .title = std::to_string(waiting()) + (waiting() == 1 ? " more message" : " more messages") + " from banger",
            .body = "About " + names,
            .about = "banger",
            .action = NoticeAction::OpenTui};
}

}  // namespace banger::agent
