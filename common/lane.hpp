// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace banger {

/// Threads for blocking work, with one bounded queue. Jobs on a lane of one thread run in the order they came.
/// A job takes values and posts its result back to the event loop; it must not throw.
class Lane {
public:
    /// Low: its threads, and what they start, give way to everything else where processors are short.
    enum class Priority { Usual, Low };
    static constexpr std::size_t usual_limit = 4096;

    explicit Lane(std::size_t threads = 1, std::size_t queue_limit = usual_limit, Priority priority = Priority::Usual);
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    /// Ends after the jobs already queued.
    ~Lane();

    /// Any thread. False when the queue is full; then the job was not taken.
    [[nodiscard]] bool submit(std::function<void()> job);
    /// Before all that wait; for short jobs that must not come late.
    [[nodiscard]] bool submit_first(std::function<void()> job);

private:
    enum class Place { Last, First };
    bool submit_at(Place place, std::function<void()> job);
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    std::size_t queue_limit_;
    bool ending_{false};
    std::vector<std::jthread> threads_;
};

}  // namespace banger
