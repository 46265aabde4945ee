// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/lane.hpp"

#include <sys/resource.h>

#include <utility>

namespace banger {
namespace {

/// Of this thread alone, as Linux has it (setpriority(2)); not worth a failure.
void give_way() noexcept
{
    constexpr int niceness = 10;
    if (::getpriority(PRIO_PROCESS, 0) < niceness) {
        ::setpriority(PRIO_PROCESS, 0, niceness);
    }
}

}  // namespace

Lane::Lane(std::size_t threads, std::size_t queue_limit, Priority priority) : queue_limit_{queue_limit}
{
    threads_.reserve(threads);
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this, priority] {
            if (priority == Priority::Low) {
                give_way();
            }
            work();
        });
    }
}

Lane::~Lane()
{
    {
        const std::lock_guard lock{mutex_};
        ending_ = true;
    }
    changed_.notify_all();
    threads_.clear();  // joins while the queue and its lock still live
}

bool Lane::submit(std::function<void()> job) { return submit_at(Place::Last, std::move(job)); }

bool Lane::submit_first(std::function<void()> job) { return submit_at(Place::First, std::move(job)); }

bool Lane::submit_at(Place place, std::function<void()> job)
{
    {
        const std::lock_guard lock{mutex_};
        if (jobs_.size() >= queue_limit_) {
            return false;
        }
        jobs_.insert(place == Place::First ? jobs_.begin() : jobs_.end(), std::move(job));
    }
    changed_.notify_one();
    return true;
}

void Lane::work()
{
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
            if (jobs_.empty()) {
                return;
            }
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
    }
}

}  // namespace banger
