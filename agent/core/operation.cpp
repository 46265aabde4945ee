// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/operation.hpp"

#include <array>
#include <cmath>
#include <system_error>
#include <utility>

namespace banger::agent {
namespace {

constexpr std::array state_names{"running", "done", "failed", "cancelled"};

}  // namespace

std::string_view to_string(OperationState state) noexcept { return state_names[static_cast<std::size_t>(state)]; }

Error to_error(std::exception_ptr failure) noexcept
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error;
    } catch (const std::system_error& error) {
        // std::filesystem and std::thread; its text names paths of the caller's own
        const auto errno_value =
            error.code().category() == std::generic_category() || error.code().category() == std::system_category()
                ? error.code().value()
                : 0;
        return Error{errno_value == ENOSPC || errno_value == EDQUOT ? ErrorCode::NoSpace : ErrorCode::Failed,
                     error.what()};
    } catch (...) {
        return Error{ErrorCode::Internal, "bangerd made a mistake; its log has the details"};
    }
}

void Operation::set_stage(std::string stage)
{
    if (stage != stage_) {
        stage_ = std::move(stage);
        fraction_ = -1;
        tell(Change::Stage);
    }
}

void Operation::set_fraction(double fraction)
{
    constexpr double step = 0.01;  // finer ones nobody sees, and each is a signal
    if (std::abs(fraction - fraction_) >= step) {
        fraction_ = fraction;
        tell(Change::Fraction);
    }
}

void Operation::cancel()
{
    if (state_ == OperationState::Running && !stop_.stop_requested()) {
        stop_.request_stop();
        if (cancel_call_) {
            cancel_call_();
        }
    }
}

void Operation::check_cancelled() const
{
    if (stop_.stop_requested()) {
        throw Error{ErrorCode::Cancelled, kind_ + " of " + target_ + " was cancelled"};
    }
}

void Operation::end(std::exception_ptr failure)
{
    cancel_call_ = nullptr;
    if (!failure) {
        state_ = OperationState::Done;
    } else {
        error_ = to_error(failure);
        state_ = error_->code() == ErrorCode::Cancelled ? OperationState::Cancelled : OperationState::Failed;
    }
    tell(Change::State);
    if (const auto call = std::exchange(ended_call_, nullptr)) {
        call();
    }
}

void Operation::tell(Change change) const
{
    if (observer_) {
        observer_(*this, change);
    }
}

void Operations::observe(std::function<void(OperationPtr)> added, std::function<void(std::uint64_t)> removed)
{
    added_ = std::move(added);
    removed_ = std::move(removed);
}

OperationPtr Operations::add(std::string kind, std::string target)
{
    auto operation = std::make_shared<Operation>(next_id_++, std::move(kind), std::move(target));
    if (added_) {
        added_(operation);
    }
    return operation;
}

void Operations::request_stop() const noexcept
{
    for (const auto& [id, operation] : running_) {
        operation->request_stop();
    }
}

void Operations::run(const OperationPtr& operation, Task<void> work)
{
    running_.emplace(operation->id(), operation);
    if (told_) {
        told_(*operation);
    }
    spawn(std::move(work), [this, operation](std::exception_ptr failure) {
        running_.erase(operation->id());
        operation->end(failure);
        if (told_) {
            told_(*operation);
        }
        if (loop_->is_over()) {
            return;  // nobody can ask any more
        }
        const auto id = operation->id();
        ended_[id] = loop_->after(kept, [this, id] {
            if (removed_) {
                removed_(id);
            }
            ended_.erase(id);
        });
    });
}

}  // namespace banger::agent
