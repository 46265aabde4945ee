// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace banger::broker {

/// Time, for limits. Loop thread.
class Clock {
public:
    /// A call to come; it doesn't once this is destroyed.
    class Timer {
    public:
        Timer() = default;
        Timer(const Timer&) = delete;
        Timer& operator=(const Timer&) = delete;
        virtual ~Timer() = default;
    };

    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    virtual std::chrono::steady_clock::time_point now() const = 0;
    virtual std::unique_ptr<Timer> after(std::chrono::milliseconds delay, std::function<void()> fire) = 0;
};

}  // namespace banger::broker
