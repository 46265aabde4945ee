// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <optional>
#include <tuple>
#include <utility>

#include "dbus/compat/bus.hpp"

namespace banger::broker {

/// The answer to one call: sent exactly once. Destroyed unanswered it sends Internal; a bare sdbus::Result would leave its caller to time out.
template <typename... Values>
class Reply {
public:
    explicit Reply(sdbus::Result<Values...>&& result) : result_{std::move(result)} {}
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() { fail(Error{ErrorCode::Internal, "a mistake in banger-broker: the call was forgotten"}); }

    void send(std::tuple<Values...> values) noexcept
    {
        deliver([&](auto& result) {
            std::apply([&](auto&&... each) { result.returnResults(std::move(each)...); }, std::move(values));
        });
    }
    void fail(const Error& error) noexcept
    {
        deliver([&](auto& result) { result.returnError(bus::to_bus_error(error)); });
    }

private:
    template <typename Send>
    void deliver(Send&& send) noexcept
    {
        if (auto result = std::exchange(result_, std::nullopt)) {
            try {
                send(*result);
            } catch (...) {  // NOLINT(bugprone-empty-catch): a bus that is gone takes no answers
            }
        }
    }

    std::optional<sdbus::Result<Values...>> result_;
};

}  // namespace banger::broker
