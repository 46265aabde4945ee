// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/c_ptr.hpp"
#include "common/unique_fd.hpp"

namespace banger {

/// The one event loop of a daemon, over sd-event. All members but post() belong to the thread that runs it.
/// A callback that throws ends the program: callbacks catch what they can answer for.
class EventLoop {
public:
    /// One registration; gone with this object. It may be destroyed inside its own callback.
    class Source {
    public:
        Source() noexcept;
        Source(Source&&) noexcept;
        Source& operator=(Source&&) noexcept;
        ~Source();
        explicit operator bool() const noexcept { return state_ != nullptr; }
        void reset() noexcept { *this = Source{}; }
        /// Changes the epoll events of an io source; of one that is gone, nothing.
        void set_io_events(std::uint32_t events);

    private:
        friend class EventLoop;
        struct State;
        explicit Source(std::unique_ptr<State> state) noexcept;
        std::unique_ptr<State> state_;
    };

    /// Event bits of on_io(), the same as epoll's.
    static constexpr std::uint32_t readable = 1;
    static constexpr std::uint32_t writable = 4;

    using Milliseconds = std::chrono::milliseconds;

    EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop();

    /// Calls `ready` with the epoll events that came. The descriptor stays the caller's and must outlive the source.
    [[nodiscard]] Source on_io(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready);
    /// Calls `fire` once, `delay` from now.
    [[nodiscard]] Source after(Milliseconds delay, std::function<void()> fire);
    /// Calls `arrived` for each `signal`; blocks it in this thread first.
    [[nodiscard]] Source on_signal(int signal, std::function<void()> arrived);
    /// Calls `idle` once, before the loop sleeps next.
    [[nodiscard]] Source on_idle(std::function<void()> idle);
    /// Runs `task` on the loop's thread soon. Any thread may call this.
    void post(std::function<void()> task);

    /// Runs until quit(); returns its argument.
    int run();
    void quit(int exit_code);
    /// run() has returned after quit(): nothing can be watched any more, and what is posted never runs.
    bool is_over() const noexcept { return sd_event_get_state(event_.get()) == SD_EVENT_FINISHED; }
    sd_event* get() noexcept { return event_.get(); }

private:
    void run_posted();

    c_ptr<sd_event, sd_event_unref> event_;
    UniqueFd wake_;
    Source wake_source_;
    std::mutex posted_mutex_;
    std::vector<std::function<void()>> posted_;
};

}  // namespace banger
