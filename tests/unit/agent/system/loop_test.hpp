// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "agent/core/operation.hpp"
#include "agent/core/task.hpp"
#include "common/event_loop.hpp"

namespace banger::agent::test {

/// A test with an event loop of its own, turned by hand.
class LoopTest : public ::testing::Test {
protected:
    /// False when it does not come to pass within some seconds.
    bool drive(const std::function<bool()>& done, std::chrono::milliseconds limit = std::chrono::seconds{10})
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            constexpr std::uint64_t microseconds = 5'000;
            sd_event_run(loop.get(), microseconds);
        }
        return true;
    }
    /// For what must not happen: long enough for it to happen.
    void let_pass(std::chrono::milliseconds time = std::chrono::milliseconds{50})
    {
        drive([] { return false; }, time);
    }

    /// As drive(), and how long the longest turn of the loop took: somebody who blocks it shows there.
    std::chrono::milliseconds longest_turn_until(const std::function<bool()>& done)
    {
        using Clock = std::chrono::steady_clock;
        auto last = Clock::now();
        Clock::duration longest{};
        EXPECT_TRUE(drive([&] {
            const auto now = Clock::now();
            longest = std::max(longest, now - last);
            last = now;
            return done();
        }));
        return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
    }

    template <typename T>
    struct Answer {
        bool ended{false};
        std::optional<T> value;
        std::optional<Error> error;
    };
    /// Starts a task; the answer comes with its end.
    template <typename T>
    std::shared_ptr<Answer<T>> begin(Task<T> task)
    {
        auto answer = std::make_shared<Answer<T>>();
        spawn(keep(std::move(task), answer), [answer](std::exception_ptr failure) {
            answer->ended = true;
            if (failure) {
                answer->error = to_error(failure);
            }
        });
        return answer;
    }
    template <typename T>
    std::shared_ptr<Answer<T>> run(Task<T> task)
    {
        auto answer = begin(std::move(task));
        EXPECT_TRUE(drive([&] { return answer->ended; })) << "the task did not end";
        return answer;
    }

    EventLoop loop;

private:
    template <typename T>
    static Task<void> keep(Task<T> task, std::shared_ptr<Answer<T>> answer)
    {
        answer->value.emplace(co_await task);
    }
};

}  // namespace banger::agent::test
