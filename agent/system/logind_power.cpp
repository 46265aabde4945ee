// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/logind_power.hpp"

#include <algorithm>
#include <cstdint>
#include <login1_proxy.hpp>
#include <stdexcept>

#include "agent/system/system_bus.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

constexpr auto logind_name = "org.freedesktop.login1";
constexpr auto logind_path = "/org/freedesktop/login1";
constexpr auto logind_interface = "org.freedesktop.login1.Manager";

/// The microseconds of a property; "infinity" is the largest number there.
milliseconds delay_of(const sdbus::Variant& value)
{
    constexpr std::uint64_t us_per_ms = 1'000;
    constexpr std::uint64_t longest_ms = 3'600'000;
    const auto ms = std::min(value.get<std::uint64_t>() / us_per_ms, longest_ms);
    return milliseconds{static_cast<milliseconds::rep>(ms)};
}

Error from_logind(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    const bool refused = name == "org.freedesktop.DBus.Error.AccessDenied" ||
                         name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
    return refused ? Error{ErrorCode::NotAuthorized, "logind refuses: " + error.getMessage()}
                   : bus::from_bus_error(error);
}

}  // namespace

/// logind's object, and who has logind's name.
class LogindPower::Login final : public RegisteredProxy<org::freedesktop::login1::Manager_proxy> {
public:
    struct Calls {
        std::function<void(const std::string& owner)> owner;
        std::function<void(bool start)> sleep;
        std::function<void(bool start)> shutdown;
    };

    Login(sdbus::IConnection& bus, Calls calls)
        : RegisteredProxy{bus, logind_name, logind_path},
          calls_{std::move(calls)},
          owner_{bus, logind_name, calls_.owner}
    {
    }

    const std::string& owner() const noexcept { return owner_.now(); }

private:
    bool is_from_logind() { return !owner().empty() && bus::sender_of(getProxy()) == owner(); }
    void onPrepareForSleep(const bool& start) override
    {
        if (is_from_logind()) {
            calls_.sleep(start);
        }
    }
    void onPrepareForShutdown(const bool& start) override
    {
        if (is_from_logind()) {
            calls_.shutdown(start);
        }
    }
    void onInhibitReply(const sdbus::UnixFd&, bus::MaybeError) override {}

    Calls calls_;
    bus::NameOwner owner_;
};

LogindPower::LogindPower(EventLoop& loop, milliseconds call_limit) : loop_{&loop}, call_limit_{call_limit}
{
    const Later later{loop, alive_};
    const Login::Calls calls{
        .owner = [this, later](const std::string& owner) { later([this, owner] { on_owner(owner); }); },
        .sleep =
            [this, later](bool start) {
                if (!start) {
                    later([this] { events_.woke(); });
                }
            },
        .shutdown =
            [this, later](bool start) {
                later([this, start] { (start ? events_.shutdown_begins : events_.shutdown_called_off)(); });
            }};
    bus_ = std::make_unique<SystemBus<Login>>(
        loop, [calls](sdbus::IConnection& connection) { return std::make_unique<Login>(connection, calls); },
        [this] { events_.lost("the system bus is gone"); });
}

LogindPower::~LogindPower() = default;

void LogindPower::watch(HostPowerEvents events)
{
    if (!connecting_ && !bus_->link()) {
        events_ = std::move(events);
        connecting_ = true;
        spawn(connect());
    }
}

Task<void> LogindPower::connect()
{
    const std::weak_ptr alive{alive_};
    std::string problem;
    try {
        co_await bus_->open(call_limit_);
    } catch (const Error& error) {
        problem = error.what();
    }
    if (!alive.lock()) {
        co_return;
    }
    connecting_ = false;
    if (!problem.empty()) {
        events_.lost(problem);
    }
}

void LogindPower::on_owner(const std::string& owner)
{
    if (owner.empty()) {
        events_.lost("logind is not on the system bus");
    } else {
        spawn(greet(owner));
    }
}

/// How long a shutdown waits is logind.conf's, and so may be another after each of its starts.
Task<void> LogindPower::greet(std::string owner)
{
    const std::weak_ptr alive{alive_};
    const auto held = bus_->link();
    if (!held || held->object->owner() != owner) {
        co_return;  // there is another already
    }
    auto delay = usual_delay;
    try {
        const BusMethod get{"org.freedesktop.DBus.Properties", "Get", call_limit_};
        const auto answer = call_on_bus<sdbus::Variant>(
            *loop_, held->object->proxy(), get, std::string{logind_interface}, std::string{"InhibitDelayMaxUSec"});
        const auto [value] = co_await answer.wait();
        delay = delay_of(value);
    } catch (const std::
                 runtime_error&) {  // NOLINT(bugprone-empty-catch): it has none, or of another type; the usual one then
    }
    if (alive.lock() && bus_->link() == held && held->object->owner() == owner) {
        events_.found(delay);
    }
}

Task<UniqueFd> LogindPower::delay_shutdown(std::string why)
{
    const auto held = bus_->link();
    if (!held || held->object->owner().empty()) {
        throw Error{ErrorCode::HostLacks, "logind is not on the system bus"};
    }
    const BusMethod inhibit{logind_interface, "Inhibit", call_limit_, from_logind};
    const auto answer = call_on_bus<sdbus::UnixFd>(*loop_, held->object->proxy(), inhibit, std::string{"shutdown"},
                                                   std::string{"banger"}, why, std::string{"delay"});
    auto answered = co_await answer.wait();
    co_return std::move(std::get<0>(answered));
}

}  // namespace banger::agent
