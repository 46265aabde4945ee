// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "common/error.hpp"

namespace banger {

static_assert(EventLoop::readable == EPOLLIN && EventLoop::writable == EPOLLOUT);

/// Kept alive through a callback by a local copy of the function, so a callback may destroy its own source.
struct EventLoop::Source::State {
    c_ptr<sd_event_source, sd_event_source_disable_unref> source;
    std::shared_ptr<std::function<void(std::uint32_t)>> call;
};

namespace {

void check(int result, const char* what)
{
    if (result < 0) {
        throw errno_error(what, -result, ErrorCode::Internal);
    }
}

using Call = std::function<void(std::uint32_t)>;

int invoke(void* userdata, std::uint32_t events)
{
    const auto call = *static_cast<std::shared_ptr<Call>*>(userdata);
    (*call)(events);
    return 0;
}

}  // namespace

EventLoop::Source::Source(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
EventLoop::Source::Source() noexcept = default;
EventLoop::Source::Source(Source&&) noexcept = default;
EventLoop::Source& EventLoop::Source::operator=(Source&&) noexcept = default;
EventLoop::Source::~Source() = default;

void EventLoop::Source::set_io_events(std::uint32_t events)
{
    if (state_) {
        check(sd_event_source_set_io_events(state_->source.get(), events), "can't change an event source");
    }
}

EventLoop::EventLoop()
{
    sd_event* event = nullptr;
    check(sd_event_new(&event), "no event loop");
    event_.reset(event);
    wake_ = UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake_) {
        throw errno_error("no eventfd", errno, ErrorCode::Internal);
    }
    wake_source_ = on_io(wake_.get(), EPOLLIN, [this](std::uint32_t) { run_posted(); });
}

EventLoop::~EventLoop() = default;

EventLoop::Source EventLoop::on_io(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready)
{
    auto state = std::make_unique<Source::State>();
    state->call = std::make_shared<Call>(std::move(ready));
    sd_event_source* source = nullptr;
    check(sd_event_add_io(
              event_.get(), &source, fd, events,
              [](sd_event_source*, int, std::uint32_t revents, void* userdata) { return invoke(userdata, revents); },
              &state->call),
          "can't watch a descriptor");
    state->source.reset(source);
    return Source{std::move(state)};
}

EventLoop::Source EventLoop::after(Milliseconds delay, std::function<void()> fire)
{
    auto state = std::make_unique<Source::State>();
    state->call = std::make_shared<Call>([fire = std::move(fire)](std::uint32_t) { fire(); });
    sd_event_source* source = nullptr;
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
    check(sd_event_add_time_relative(
              event_.get(), &source, CLOCK_MONOTONIC, static_cast<std::uint64_t>(microseconds), 1000,
              [](sd_event_source*, std::uint64_t, void* userdata) { return invoke(userdata, 0); }, &state->call),
          "can't set a timer");
    state->source.reset(source);
    return Source{std::move(state)};
}

EventLoop::Source EventLoop::on_signal(int signal, std::function<void()> arrived)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    auto state = std::make_unique<Source::State>();
    state->call = std::make_shared<Call>([arrived = std::move(arrived)](std::uint32_t) { arrived(); });
    sd_event_source* source = nullptr;
    check(sd_event_add_signal(
              event_.get(), &source, signal,
              [](sd_event_source*, const struct signalfd_siginfo*, void* userdata) { return invoke(userdata, 0); },
              &state->call),
          "can't watch a signal");
    state->source.reset(source);
    return Source{std::move(state)};
}

EventLoop::Source EventLoop::on_idle(std::function<void()> idle)
{
    auto state = std::make_unique<Source::State>();
    state->call = std::make_shared<Call>([idle = std::move(idle)](std::uint32_t) { idle(); });
    sd_event_source* source = nullptr;
    check(
        sd_event_add_defer(
            event_.get(), &source, [](sd_event_source*, void* userdata) { return invoke(userdata, 0); }, &state->call),
        "can't defer");
    state->source.reset(source);
    return Source{std::move(state)};
}

void EventLoop::post(std::function<void()> task)
{
    {
        const std::lock_guard lock{posted_mutex_};
        posted_.push_back(std::move(task));
        if (posted_.size() > 1) {
            return;  // whoever posted the first has woken the loop, which takes all at once
        }
    }
    const std::uint64_t one = 1;
    // A full counter (EAGAIN) already wakes the loop.
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::run_posted()
{
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard lock{posted_mutex_};
        tasks.swap(posted_);
    }
    for (auto& task : tasks) {
        task();
    }
}

int EventLoop::run()
{
    const int result = sd_event_loop(event_.get());
    check(result, "the event loop failed");
    return result;
}

void EventLoop::quit(int exit_code) { check(sd_event_exit(event_.get(), exit_code), "the event loop can't end"); }

}  // namespace banger
