// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/loop.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/error.hpp"

namespace banger::guest {

Loop::Watch::Watch(Watch&& other) noexcept : loop_{std::exchange(other.loop_, nullptr)}, id_{other.id_} {}

Loop::Watch& Loop::Watch::operator=(Watch&& other) noexcept
{
    if (this != &other) {
        reset();
        loop_ = std::exchange(other.loop_, nullptr);
        id_ = other.id_;
    }
    return *this;
}

void Loop::Watch::reset() noexcept
{
    if (loop_ != nullptr) {
        std::exchange(loop_, nullptr)->forget(id_);
    }
}

void Loop::Watch::set_events(std::uint32_t events)
{
    if (loop_ != nullptr) {
        loop_->set_events(id_, events);
    }
}

Loop::Timer::Timer(Timer&& other) noexcept : loop_{std::exchange(other.loop_, nullptr)}, id_{other.id_} {}

Loop::Timer& Loop::Timer::operator=(Timer&& other) noexcept
{
    if (this != &other) {
        reset();
        loop_ = std::exchange(other.loop_, nullptr);
        id_ = other.id_;
    }
    return *this;
}

void Loop::Timer::reset() noexcept
{
    if (loop_ != nullptr) {
        std::exchange(loop_, nullptr)->alarms_.erase(id_);
    }
}

Loop::Loop() : epoll_{::epoll_create1(EPOLL_CLOEXEC)}
{
    if (!epoll_) {
        throw errno_error("epoll", errno);
    }
    signal_callbacks_[SIGCHLD] = [this] { reap(); };
    update_signals();
}

Loop::~Loop() = default;

Loop::Watch Loop::watch(int fd, std::uint32_t events, IoCallback ready)
{
    const auto id = next_id_++;
    entries_.emplace(id, std::make_shared<Entry>(Entry{fd, 0, std::move(ready)}));
    Watch watch{*this, id};
    set_events(id, events);
    return watch;
}

void Loop::set_events(std::uint64_t id, std::uint32_t events)
{
    auto& entry = *entries_.at(id);
    if (entry.events == events) {
        return;
    }
    epoll_event event{.events = events, .data = {.u64 = id}};
    const int operation = events == 0 ? EPOLL_CTL_DEL : entry.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (::epoll_ctl(epoll_.get(), operation, entry.fd, &event) != 0) {
        throw errno_error("epoll_ctl", errno);
    }
    entry.events = events;
}

void Loop::forget(std::uint64_t id) noexcept
{
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) {
        return;
    }
    if (entry->second->events != 0) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry->second->fd, nullptr);
    }
    entries_.erase(entry);
}

Loop::Timer Loop::after(std::chrono::milliseconds delay, std::function<void()> fire)
{
    const auto id = next_id_++;
    alarms_.emplace(id, Alarm{Clock::now() + delay, std::move(fire)});
    return Timer{*this, id};
}

void Loop::defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }

void Loop::on_child(pid_t pid, std::function<void(int)> ended) { children_[pid] = std::move(ended); }

void Loop::on_signal(int signal, std::function<void()> arrived)
{
    signal_callbacks_[signal] = std::move(arrived);
    update_signals();
}

void Loop::update_signals()
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const auto& [signal, callback] : signal_callbacks_) {
        ::sigaddset(&set, signal);
    }
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    const int fd = ::signalfd(signals_.get(), &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        throw errno_error("signalfd", errno);
    }
    if (!signals_) {
        signals_.reset(fd);
        signal_watch_ = watch(fd, EPOLLIN, [this](std::uint32_t) { read_signals(); });
    }
}

void Loop::read_signals()
{
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        const auto callback = signal_callbacks_.find(static_cast<int>(info.ssi_signo));
        if (callback != signal_callbacks_.end()) {
            const auto arrived = callback->second;
            arrived();
        }
    }
}

void Loop::reap()
{
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto child = children_.find(pid);
        if (child != children_.end()) {
            const auto ended = std::move(child->second);
            children_.erase(child);
            ended(status);
        }
    }
}

int Loop::timeout() const
{
    if (!deferred_.empty()) {
        return 0;
    }
    auto soonest = Clock::time_point::max();
    for (const auto& [id, alarm] : alarms_) {
        soonest = std::min(soonest, alarm.when);
    }
    if (soonest == Clock::time_point::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(soonest - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

void Loop::fire_timers()
{
    const auto now = Clock::now();
    for (;;) {
        const auto due =
            std::find_if(alarms_.begin(), alarms_.end(), [&](const auto& alarm) { return alarm.second.when <= now; });
        if (due == alarms_.end()) {
            return;
        }
        const auto fire = std::move(due->second.fire);
        alarms_.erase(due);
        fire();
    }
}

void Loop::run_deferred()
{
    for (auto& task : std::exchange(deferred_, {})) {
        task();
    }
}

void Loop::round()
{
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout());
    if (count < 0 && errno != EINTR) {
        throw errno_error("epoll_wait", errno);
    }
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        const auto found = entries_.find(event.data.u64);
        if (found != entries_.end() && found->second->events != 0) {
            const auto entry = found->second;  // lives on if the callback ends the watching
            entry->ready(event.events);
        }
    }
    fire_timers();
    run_deferred();
}

void Loop::run()
{
    running_ = true;
    while (running_) {
        for (const auto& task : after_round_) {
            task();
        }
        if (running_) {
            round();
        }
    }
}

}  // namespace banger::guest
