// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <exception>
#include <memory>
#include <utility>

#include "agent/core/operation.hpp"
#include "agent/core/task.hpp"
#include "agent/service/json_log.hpp"
#include "dbus/compat/bus.hpp"

// Where every call from the bus ends, well or badly: the only place of bangerd that catches everything.
namespace banger::agent {

/// Logs what isn't the caller's own mistake and turns it into what goes over the bus.
inline sdbus::Error answer_failure(const char* method, std::exception_ptr failure) noexcept
{
    const auto error = to_error(failure);
    if (error.code() == ErrorCode::Internal) {
        std::string detail = "an exception of an unknown type";
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& exception) {
            detail = exception.what();
        } catch (...) {  // NOLINT(bugprone-empty-catch): the text above says it
        }
        json_log::write(json_log::Level::Error, std::string{method} + ": " + detail);
    } else {
        json_log::write(json_log::Level::Debug, std::string{method} + ": " + error.what());
    }
    return bus::to_bus_error(error);
}

/// Runs the body of a synchronous method or property.
template <typename Work>
auto answer(const char* method, Work&& work)
{
    try {
        return work();
    } catch (...) {
        throw answer_failure(method, std::current_exception());
    }
}

/// Sends what nobody waits for, such as a signal. A bus that is gone is no error here: the loop's attachment to it says so.
template <typename Work>
void tell_bus(Work&& work) noexcept
{
    try {
        work();
    } catch (const std::exception& failure) {
        json_log::write(json_log::Level::Debug, std::string{"can't tell the bus: "} + failure.what());
    }
}

namespace detail {

template <typename Result, typename T>
Task<void> reply_with(std::shared_ptr<Result> result, Task<T> task)
{
    auto value = co_await task;
    std::apply([&](auto&&... values) { result->returnResults(std::move(values)...); }, std::move(value));
}

}  // namespace detail

/// Answers an asynchronous method exactly once, with the tuple that the task gives or with its error.
template <typename... Values>
void reply(const char* method, sdbus::Result<Values...>&& result, Task<std::tuple<Values...>> task)
{
    using Result = sdbus::Result<Values...>;
    const auto shared = std::make_shared<Result>(std::move(result));
    spawn(detail::reply_with<Result>(shared, std::move(task)), [method, shared](std::exception_ptr failure) {
        if (failure) {
            tell_bus([&] { shared->returnError(answer_failure(method, failure)); });
        }
    });
}

}  // namespace banger::agent
