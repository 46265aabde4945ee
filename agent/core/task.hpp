// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "common/error.hpp"
#include "common/event_loop.hpp"
#include "common/lane.hpp"

// Sequences of asynchronous steps, written as coroutines that run on the event loop's thread only. Two traps:
// - A coroutine's parameters are taken by value or outlive it; no capturing lambdas as coroutines.
// - g++ 12 destroys lambdas with captures and braced aggregates twice when they are temporaries of an expression with co_await in it
//   (seen with 12.2.0 under ASan: a double free). They get a name first; tests/style/test_coroutines.py refuses the rest.
namespace banger::agent {

namespace detail {

struct TaskPromiseBase {
    std::coroutine_handle<> continuation;
    std::exception_ptr failure;

    std::suspend_always initial_suspend() noexcept { return {}; }
    struct FinalAwaiter {
        bool await_ready() noexcept { return false; }
        template <typename Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept
        {
            const auto next = self.promise().continuation;
            return next ? next : std::noop_coroutine();
        }
        void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <typename T>
struct TaskPromise : TaskPromiseBase {
    std::optional<T> value;
    std::coroutine_handle<TaskPromise> get_return_object()
    {
        return std::coroutine_handle<TaskPromise>::from_promise(*this);
    }
    template <typename U>
    void return_value(U&& result)
    {
        value.emplace(std::forward<U>(result));
    }
    T take()
    {
        if (failure) {
            std::rethrow_exception(failure);
        }
        return std::move(*value);
    }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
    std::coroutine_handle<TaskPromise> get_return_object()
    {
        return std::coroutine_handle<TaskPromise>::from_promise(*this);
    }
    void return_void() noexcept {}
    void take() const
    {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
};

}  // namespace detail

/// A lazily started coroutine, awaited once: `T value = co_await some_task();`
template <typename T = void>
class [[nodiscard]] Task {
public:
    using promise_type = detail::TaskPromise<T>;

    Task(std::coroutine_handle<promise_type> handle) noexcept : handle_{handle} {}  // NOLINT: made by the compiler
    Task(Task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    Task& operator=(Task&&) = delete;
    ~Task()
    {
        if (handle_) {
            handle_.destroy();
        }
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept
    {
        handle_.promise().continuation = waiting;
        return handle_;
    }
    T await_resume() { return handle_.promise().take(); }

private:
    std::coroutine_handle<promise_type> handle_;
};

namespace detail {

struct Detached {
    struct promise_type {
        Detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

inline Detached run_detached(Task<void> task, std::function<void(std::exception_ptr)> ended)
{
    std::exception_ptr failure;
    try {
        co_await task;
    } catch (...) {
        failure = std::current_exception();
    }
    if (ended) {
        ended(failure);
    }
}

}  // namespace detail

/// Starts a task now; `ended` gets its exception, or null. `ended` must not throw.
inline void spawn(Task<void> task, std::function<void(std::exception_ptr)> ended = {})
{
    detail::run_detached(std::move(task), std::move(ended));
}

/// A value that will come, set once by somebody on the loop's thread and awaited by one task at a time.
template <typename T>
class Promise {
    struct State {
        std::variant<std::monostate, T, std::exception_ptr> outcome;
        std::coroutine_handle<> waiting;
        EventLoop::Source deadline;
        std::exception_ptr late;  ///< of a wait that was over before the outcome came
    };

public:
    Promise() : state_{std::make_shared<State>()} {}

    bool is_set() const noexcept { return state_->outcome.index() != 0; }
    bool is_awaited() const noexcept { return state_->waiting != nullptr; }
    void set(T value) const { settle(std::move(value)); }
    void fail(std::exception_ptr failure) const { settle(std::move(failure)); }

    class Awaiter {
    public:
        Awaiter(std::shared_ptr<State> state) noexcept : state_{std::move(state)} {}  // NOLINT: made by wait()
        bool await_ready() const noexcept { return state_->outcome.index() != 0; }
        void await_suspend(std::coroutine_handle<> waiting) noexcept { state_->waiting = waiting; }
        T await_resume()
        {
            state_->deadline.reset();
            if (auto late = std::exchange(state_->late, nullptr)) {
                std::rethrow_exception(late);
            }
            if (auto* failure = std::get_if<std::exception_ptr>(&state_->outcome)) {
                std::rethrow_exception(*failure);
            }
            return std::move(std::get<T>(state_->outcome));
        }

    private:
        std::shared_ptr<State> state_;
    };

    Awaiter wait() const { return Awaiter{state_}; }
    /// As wait(), but that wait ends with `late` after `limit`; the promise itself stays open, and may be waited for again. No limit
    /// for zero.
    Awaiter wait(EventLoop& loop, EventLoop::Milliseconds limit, Error late) const
    {
        if (!is_set() && limit.count() > 0) {
            state_->deadline = loop.after(limit, [state = std::weak_ptr{state_}, late = std::move(late)] {
                const auto alive = state.lock();
                const auto waiting = alive ? std::exchange(alive->waiting, nullptr) : nullptr;
                if (waiting) {
                    alive->late = std::make_exception_ptr(late);
                    waiting.resume();
                }
            });
        }
        return Awaiter{state_};
    }

private:
    template <typename V>
    void settle(V value) const
    {
        if (is_set()) {
            return;
        }
        const auto keep = state_;
        keep->outcome.template emplace<V>(
            std::move(value));  // by its type: some values are made of anything (sdbus::Variant)
        if (const auto waiting = std::exchange(keep->waiting, nullptr)) {
            waiting.resume();
        }
    }

    std::shared_ptr<State> state_;
};

struct Unit {};

/// Starts a task now, to be waited for later, or never.
inline Promise<Unit> begin_task(Task<void> task)
{
    Promise<Unit> outcome;
    spawn(std::move(task), [outcome](std::exception_ptr failure) {
        if (failure) {
            outcome.fail(std::move(failure));
        } else {
            outcome.set(Unit{});
        }
    });
    return outcome;
}

/// Something that happens once, for any number of tasks that wait for it.
class Event {
    struct State {
        bool happened{false};
        std::vector<Promise<Unit>> waiting;
    };

public:
    bool has_happened() const noexcept { return state_->happened; }
    void set() const
    {
        const auto keep = state_;
        keep->happened = true;
        for (const auto& waiting : std::exchange(keep->waiting, {})) {
            waiting.set(Unit{});
        }
    }
    Promise<Unit>::Awaiter wait() const { return turn().wait(); }
    /// As Promise::wait() with a limit.
    Promise<Unit>::Awaiter wait(EventLoop& loop, EventLoop::Milliseconds limit, Error late) const
    {
        return turn().wait(loop, limit, std::move(late));
    }

private:
    Promise<Unit> turn() const
    {
        Promise<Unit> turn;
        if (state_->happened) {
            turn.set(Unit{});
        } else {
            state_->waiting.push_back(turn);
        }
        return turn;
    }

    std::shared_ptr<State> state_{std::make_shared<State>()};
};

namespace detail {

template <typename F>
auto call_for_value(F& work)
{
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        work();
        return Unit{};
    } else {
        return work();
    }
}

}  // namespace detail

/// Runs `work` on a lane and comes back to the loop with its value or exception. `work` must own all that it touches.
template <typename F>
auto run_on(EventLoop& loop, Lane& lane, F work)
{
    using Value = decltype(detail::call_for_value(work));
    Promise<Value> promise;
    const auto shared_work = std::make_shared<F>(std::move(work));
    const bool taken = lane.submit([&loop, promise, shared_work]() mutable {
        auto outcome = std::make_shared<std::variant<std::monostate, Value, std::exception_ptr>>();
        try {
            outcome->template emplace<1>(detail::call_for_value(*shared_work));
        } catch (...) {
            outcome->template emplace<2>(std::current_exception());
        }
        // Moved, so that the last owner of the coroutine's state is always the loop's thread.
        loop.post([promise = std::move(promise), outcome = std::move(outcome), work = std::move(shared_work)] {
            if (outcome->index() == 1) {
                promise.set(std::move(std::get<1>(*outcome)));
            } else {
                promise.fail(std::get<2>(*outcome));
            }
        });
    });
    if (!taken) {
        promise.fail(std::make_exception_ptr(
            Error{ErrorCode::Unavailable, "bangerd has too much to do at the moment; try again in a minute"}));
    }
    return promise.wait();
}

/// A lock for tasks: waiters come in turn. Not for threads.
class TaskMutex {
public:
    class Guard {
    public:
        explicit Guard(TaskMutex& mutex) noexcept : mutex_{&mutex} {}
        Guard(Guard&& other) noexcept : mutex_{std::exchange(other.mutex_, nullptr)} {}
        Guard& operator=(Guard&&) = delete;
        ~Guard()
        {
            if (mutex_ != nullptr) {
                mutex_->unlock();
            }
        }

    private:
        TaskMutex* mutex_;
    };

    Task<Guard> lock()
    {
        if (locked_) {
            Promise<Unit> turn;
            waiting_.push_back(turn);
            co_await turn.wait();
        }
        locked_ = true;
        co_return Guard{*this};
    }
    bool is_locked() const noexcept { return locked_; }

private:
    void unlock() noexcept
    {
        if (waiting_.empty()) {
            locked_ = false;
            return;
        }
        const auto next = waiting_.front();
        waiting_.erase(waiting_.begin());
        next.set(Unit{});
    }

    bool locked_{false};
    std::vector<Promise<Unit>> waiting_;
};

}  // namespace banger::agent
