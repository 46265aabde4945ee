// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/unique_fd.hpp"

namespace banger::guest {

/// The event loop of the guest program: epoll, timers, child processes. (The static program can't have sd-event:
/// libsystemd comes as a shared library only.) One thread. A callback that throws ends the program.
class Loop {
public:
    using IoCallback = std::function<void(std::uint32_t events)>;
    using Clock = std::chrono::steady_clock;

    /// One watched descriptor; the watching ends with this object, which may happen inside its own callback.
    class Watch {
    public:
        Watch() noexcept = default;
        Watch(Watch&& other) noexcept;
        Watch& operator=(Watch&& other) noexcept;
        ~Watch() { reset(); }
        void reset() noexcept;
        /// epoll events to wait for; 0 takes the descriptor out of the epoll set, as a hang-up can't be masked there.
        void set_events(std::uint32_t events);

    private:
        friend class Loop;
        Watch(Loop& loop, std::uint64_t id) noexcept : loop_{&loop}, id_{id} {}
        Loop* loop_{nullptr};
        std::uint64_t id_{0};
    };

    /// One timer; it ends with this object.
    class Timer {
    public:
        Timer() noexcept = default;
        Timer(Timer&& other) noexcept;
        Timer& operator=(Timer&& other) noexcept;
        ~Timer() { reset(); }
        void reset() noexcept;
        explicit operator bool() const noexcept { return loop_ != nullptr; }

    private:
        friend class Loop;
        Timer(Loop& loop, std::uint64_t id) noexcept : loop_{&loop}, id_{id} {}
        Loop* loop_{nullptr};
        std::uint64_t id_{0};
    };

    /// Blocks SIGCHLD and SIGTERM in this process, to read them itself. Throws Failed.
    Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    [[nodiscard]] Watch watch(int fd, std::uint32_t events, IoCallback ready);
    [[nodiscard]] Timer after(std::chrono::milliseconds delay, std::function<void()> fire);
    /// Calls `task` soon, once.
    void defer(std::function<void()> task);
    /// Calls `task` after each round of events, before sleeping.
    void after_each_round(std::function<void()> task) { after_round_.push_back(std::move(task)); }
    /// Calls `ended` once with the wait status. All children are reaped, also those that nobody asked about.
    void on_child(pid_t pid, std::function<void(int status)> ended);
    void forget_child(pid_t pid) { children_.erase(pid); }
    /// Calls `arrived` for each other signal that the loop reads (SIGTERM, and what watch_signal() added).
    void on_signal(int signal, std::function<void()> arrived);

    void run();
    void quit() noexcept { running_ = false; }

private:
    struct Entry {
        int fd;
        std::uint32_t events;
        IoCallback ready;
    };
    struct Alarm {
        Clock::time_point when;
        std::function<void()> fire;
    };

    void set_events(std::uint64_t id, std::uint32_t events);
    void forget(std::uint64_t id) noexcept;
    void round();
    int timeout() const;
    void fire_timers();
    void run_deferred();
    void read_signals();
    void reap();
    void update_signals();

    UniqueFd epoll_;
    UniqueFd signals_;
    Watch signal_watch_;
    bool running_{false};
    std::uint64_t next_id_{1};
    std::unordered_map<std::uint64_t, std::shared_ptr<Entry>> entries_;
    std::map<std::uint64_t, Alarm> alarms_;
    std::unordered_map<pid_t, std::function<void(int)>> children_;
    std::map<int, std::function<void()>> signal_callbacks_;
    std::vector<std::function<void()>> deferred_;
    std::vector<std::function<void()>> after_round_;
};

}  // namespace banger::guest
