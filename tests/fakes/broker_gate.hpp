// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "broker/ports/authority.hpp"
#include "broker/ports/clock.hpp"

namespace banger::broker::test {

/// A clock that goes on when it is told to.
class FakeClock final : public Clock {
public:
    std::chrono::steady_clock::time_point now() const override { return now_; }
    std::unique_ptr<Timer> after(std::chrono::milliseconds delay, std::function<void()> fire) override
    {
        const auto id = ++last_;
        waiting_.emplace(std::pair{now_ + delay, id}, std::move(fire));
        return std::make_unique<Handle>(*this, std::pair{now_ + delay, id});
    }
    void advance(std::chrono::milliseconds by)
    {
        now_ += by;
        while (!waiting_.empty() && waiting_.begin()->first.first <= now_) {
            const auto fire = std::move(waiting_.begin()->second);
            waiting_.erase(waiting_.begin());
            fire();
        }
    }
    std::size_t waiting() const { return waiting_.size(); }

private:
    using Key = std::pair<std::chrono::steady_clock::time_point, int>;
    struct Handle final : Timer {
        Handle(FakeClock& clock, Key of) : owner{&clock}, key{of} {}
        ~Handle() override { owner->waiting_.erase(key); }
        FakeClock* owner;
        Key key;
    };
    std::chrono::steady_clock::time_point now_{};
    std::map<Key, std::function<void()>> waiting_;
    int last_{0};
};

/// A polkit that answers what and when a test says, also what no polkit should.
class FakeAuthority final : public Authority {
public:
    struct Question {
        std::string sender;
        std::string action;
        Details details;
        Interaction interaction;
        std::function<void(Answer)> answered;
        bool forgotten{false};
    };

    Ticket ask(const std::string& sender, const std::string& action, const Details& details, Interaction interaction,
               std::function<void(Answer)> answered) override
    {
        if (throws) {
            throw std::runtime_error{"the bus is gone"};
        }
        questions.push_back({sender, action, details, interaction, std::move(answered)});
        return questions.size();
    }
    void forget(Ticket ticket) noexcept override { questions.at(ticket - 1).forgotten = true; }
    /// Answers the newest question; again, when it was answered already.
    void answer(Answer with)
    {
        const auto answered = questions.back().answered;
        answered(with);
    }

    std::vector<Question> questions;
    bool throws{false};
};

/// A bus that knows who is connected, and tells it at once or when a test says.
class FakeCallers final : public Callers {
public:
    void uid_of(const std::string& sender, std::function<void(std::optional<uid_t>)> told) override
    {
        pending_.emplace_back(sender, std::move(told));
    }
    /// Tells what was asked by now, as things are now; what is asked meanwhile too.
    void tell()
    {
        while (!pending_.empty()) {
            const auto [sender, told] = std::move(pending_.front());
            pending_.erase(pending_.begin());
            const auto found = uids.find(sender);
            told(found == uids.end() ? std::nullopt : std::optional{found->second});
        }
    }
    std::size_t waiting() const { return pending_.size(); }

    std::map<std::string, uid_t> uids;

private:
    std::vector<std::pair<std::string, std::function<void(std::optional<uid_t>)>>> pending_;
};

}  // namespace banger::broker::test
