// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "agent/core/task.hpp"
#include "agent/system/bus_call.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::agent {

/// Where a thread that nobody waits for brings what it has made.
class Landing {
public:
    explicit Landing(EventLoop& loop) : loop_{&loop} {}
    /// Any thread. After close() the task is dropped.
    void bring(std::function<void()> task);
    /// Loop thread.
    void close();

private:
    std::mutex mutex_;
    EventLoop* loop_;
};

/// Runs `work`, which must not throw, on a thread of its own that nobody waits for and that gets no signals. False where none can be had.
[[nodiscard]] bool run_aside(std::function<void()> work);

/// A connection with an `Object` on it.
template <typename Object>
struct BusLink {
    std::unique_ptr<sdbus::IConnection> connection;
    std::optional<bus::LoopAttachment> attachment;
    std::unique_ptr<Object> object;
};

/// A connection to the system bus with an `Object` on it, opened when it is wanted, and anew after it was lost. sd-bus waits until the bus has
/// said hello, for 25 s, and a bus that hangs takes connections and says nothing; so it is opened by a thread, and none of a lane: bangerd's end
/// would have to wait for it. Loop thread.
template <typename Object>
class SystemBus {
public:
    using Link = BusLink<Object>;
    /// Called on the other thread; what the object calls back comes from the loop's.
    using Furnish = std::function<std::unique_ptr<Object>(sdbus::IConnection& connection)>;

    /// A bus that lives says hello within milliseconds.
    static constexpr std::chrono::milliseconds patience{5'000};

    /// `lost`: a connection that was there is there no more.
    SystemBus(EventLoop& loop, Furnish furnish, std::function<void()> lost)
        : loop_{&loop}, furnish_{std::move(furnish)}, lost_{std::move(lost)}
    {
    }
    SystemBus(const SystemBus&) = delete;
    SystemBus& operator=(const SystemBus&) = delete;
    ~SystemBus() { landing_->close(); }

    /// nullptr: none is open. Calls under way may hold it, too.
    const std::shared_ptr<Link>& link() const noexcept { return link_; }
    /// All who ask meanwhile wait for the same one. Throws HostLacks (no system bus), TimedOut after `limit` or `patience`, Unavailable.
    Task<std::shared_ptr<Link>> open(std::chrono::milliseconds limit)
    {
        if (link_) {
            co_return link_;
        }
        if (!opening_) {
            begin();
        }
        const auto opening = opening_;
        const auto late = silence();
        co_await opening->ended.wait(*loop_, std::min(limit, patience), late);
        // From here on `this` may be gone.
        if (opening->outcome.failure) {
            throw Error{*opening->outcome.failure};
        }
        co_return opening->outcome.link;
    }

private:
    struct Outcome {
        std::shared_ptr<Link> link{};
        std::optional<Error> failure{};
    };
    struct Opening {
        Event ended;
        Outcome outcome;
    };

    static Error silence()
    {
        return Error{ErrorCode::TimedOut, "the system bus gives no answer; systemctl status dbus says what it does"};
    }
    static Outcome made(const Furnish& furnish)
    {
        using Clock = std::chrono::steady_clock;
        const auto began = Clock::now();
        std::string problem;
        try {
            const auto fresh = std::make_shared<Link>();
            fresh->connection = bus::open_system_bus();
            fresh->object = furnish(*fresh->connection);
            return {.link = fresh};
        } catch (const sdbus::Error& error) {
            problem = error.getMessage();
        } catch (const std::exception& error) {
            problem = error.what();
        }
        return {.failure = Clock::now() - began > patience
                               ? silence()
                               : Error{ErrorCode::HostLacks, "there is no system bus: " + problem}};
    }
    void begin()
    {
        opening_ = std::make_shared<Opening>();
        const auto land_later = [this, alive = std::weak_ptr{alive_}](std::shared_ptr<Outcome> outcome) {
            return [this, alive, outcome = std::move(outcome)] {
                if (alive.lock()) {
                    land(std::move(*outcome));
                }
            };
        };
        const bool begun = run_aside([landing = landing_, furnish = furnish_, land_later] {
            landing->bring(land_later(std::make_shared<Outcome>(made(furnish))));
        });
        if (!begun) {
            const Error no_thread{ErrorCode::Unavailable, "there is no thread left to open the system bus with"};
            loop_->post(land_later(std::make_shared<Outcome>(Outcome{.failure = no_thread})));
        }
    }
    void land(Outcome outcome)
    {
        const auto opening = std::exchange(opening_, nullptr);
        try {
            attach(outcome.link);
        } catch (const Error& error) {
            outcome.failure = error;
        }
        opening->outcome = std::move(outcome);
        opening->ended.set();
    }
    void attach(const std::shared_ptr<Link>& fresh)
    {
        if (fresh) {
            const Later later{*loop_, alive_};
            fresh->attachment.emplace(*fresh->connection, *loop_, [this, later] { later([this] { end_link(); }); });
            link_ = fresh;
        }
    }
    void end_link()
    {
        link_.reset();
        if (lost_) {
            lost_();
        }
    }

    EventLoop* loop_;
    Furnish furnish_;
    std::function<void()> lost_;
    std::shared_ptr<Link> link_;
    std::shared_ptr<Opening> opening_;
    std::shared_ptr<Landing> landing_{std::make_shared<Landing>(*loop_)};
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
