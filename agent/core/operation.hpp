// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "agent/core/task.hpp"
#include "common/error.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

enum class OperationState { Running, Done, Failed, Cancelled };
std::string_view to_string(OperationState state) noexcept;

/// A piece of long work that somebody may watch, wait for and cancel. Loop thread, but for stop_token().
class Operation {
public:
    enum class Change { Stage, Fraction, State };
    using Observer = std::function<void(const Operation&, Change)>;

    Operation(std::uint64_t id, std::string kind, std::string target)
        : id_{id}, kind_{std::move(kind)}, target_{std::move(target)}
    {
    }

    std::uint64_t id() const noexcept { return id_; }
    const std::string& kind() const noexcept { return kind_; }
    const std::string& target() const noexcept { return target_; }
    const std::string& stage() const noexcept { return stage_; }
    double fraction() const noexcept { return fraction_; }
    OperationState state() const noexcept { return state_; }
    /// Only of one that failed or was cancelled.
    const std::optional<Error>& error() const noexcept { return error_; }
    /// A flat object of strings, numbers and booleans.
    const nlohmann::json& result() const noexcept { return result_; }
    nlohmann::json& result() noexcept { return result_; }

    void set_stage(std::string stage);
    /// 0 to 1; -1: not known.
    void set_fraction(double fraction);
    /// The work sees it through stop_token(), or because `on_cancel` was called.
    void cancel();
    /// As cancel(), but through stop_token() alone, so that no task goes on because of it.
    void request_stop() noexcept { stop_.request_stop(); }
    void on_cancel(std::function<void()> call) { cancel_call_ = std::move(call); }
    std::stop_token stop_token() const noexcept { return stop_.get_token(); }
    /// Throws Cancelled once cancel() was called.
    void check_cancelled() const;

    /// Ends it: done without an exception.
    void end(std::exception_ptr failure);
    void observe(Observer observer) { observer_ = std::move(observer); }
    /// Called once it has ended, however. One call.
    void when_ended(std::function<void()> call) { ended_call_ = std::move(call); }

private:
    void tell(Change change) const;

    std::uint64_t id_;
    std::string kind_;
    std::string target_;
    std::string stage_;
    double fraction_{-1};
    OperationState state_{OperationState::Running};
    std::optional<Error> error_;
    nlohmann::json result_ = nlohmann::json::object();
    std::stop_source stop_;
    std::function<void()> cancel_call_;
    std::function<void()> ended_call_;
    Observer observer_;
};

using OperationPtr = std::shared_ptr<Operation>;

/// Turns any exception into an Error; those that aren't ours become Internal with nothing said, as the log has the details.
Error to_error(std::exception_ptr failure) noexcept;

/// All operations, the ended ones for a while longer, so that who asks late still learns how it went.
class Operations {
public:
    static constexpr std::chrono::seconds kept{60};

    explicit Operations(EventLoop& loop) : loop_{&loop} {}

    /// Called for each new operation and for each one that is forgotten.
    void observe(std::function<void(OperationPtr)> added, std::function<void(std::uint64_t)> removed);
    /// Called as one begins to run, and when it has ended.
    void on_run(std::function<void(const Operation&)> told) { told_ = std::move(told); }
    OperationPtr add(std::string kind, std::string target);
    /// Runs `work` as this operation and ends it with the outcome.
    void run(const OperationPtr& operation, Task<void> work);
    std::size_t running() const noexcept { return running_.size(); }
    /// For a bangerd that is about to end: what they do on other threads must not keep it. No task goes on because of it, as none can wait once
    /// the loop has ended; a start would give up, and take the VM along that the next bangerd is to find.
    void request_stop() const noexcept;

private:
    EventLoop* loop_;
    std::uint64_t next_id_{1};
    std::unordered_map<std::uint64_t, OperationPtr> running_;
    std::function<void(OperationPtr)> added_;
    std::function<void(std::uint64_t)> removed_;
    std::function<void(const Operation&)> told_;
    std::unordered_map<std::uint64_t, EventLoop::Source> ended_;
};

}  // namespace banger::agent
