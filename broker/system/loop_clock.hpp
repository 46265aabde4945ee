// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/clock.hpp"
#include "common/event_loop.hpp"

namespace banger::broker {

/// The event loop's own time.
class LoopClock final : public Clock {
public:
    explicit LoopClock(EventLoop& loop) : loop_{&loop} {}

    std::chrono::steady_clock::time_point now() const override { return std::chrono::steady_clock::now(); }
    std::unique_ptr<Timer> after(std::chrono::milliseconds delay, std::function<void()> fire) override
    {
        struct LoopTimer final : Timer {
            explicit LoopTimer(EventLoop::Source kept) : source{std::move(kept)} {}
            EventLoop::Source source;
        };
        return std::make_unique<LoopTimer>(loop_->after(delay, std::move(fire)));
    }

private:
    EventLoop* loop_;
};

}  // namespace banger::broker
