// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>

#include "agent/core/task.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::agent {

/// A method of an object, and how its errors are told.
struct BusMethod {
    const char* interface;
    const char* name;
    std::chrono::milliseconds limit;
    Error (*translate)(const sdbus::Error& error) = bus::from_bus_error;
};

namespace detail {

/// As a value waits for who asked. A descriptor is taken at once: the copy that sdbus-c++ makes has no close-on-exec, and a VMM that inherits it
/// would hold it for ever.
template <typename Value>
Value kept_value(Value value)
{
    return value;
}
inline UniqueFd kept_value(sdbus::UnixFd fd) { return bus::take_fd(std::move(fd)); }

template <typename... Values>
using KeptValues = std::tuple<decltype(kept_value(std::declval<Values>()))...>;

}  // namespace detail

/// Calls a method and promises its answer, descriptors in it as UniqueFd, or what `translate` makes of its error. The answer comes by the loop: who
/// waits may destroy `proxy`, which sdbus-c++ goes on using after its callback. Throws alike where the call can't even be sent.
template <typename... Values, typename... Arguments>
Promise<detail::KeptValues<Values...>> call_on_bus(EventLoop& loop, sdbus::IProxy& proxy, const BusMethod& method,
                                                   const Arguments&... arguments)
{
    using Kept = detail::KeptValues<Values...>;
    Promise<Kept> answer;
    try {
        proxy.callMethodAsync(method.name)
            .onInterface(method.interface)
            .withTimeout(method.limit)
            .withArguments(arguments...)
            .uponReplyInvoke([&loop, answer, translate = method.translate](bus::MaybeError error, Values... values) {
                try {
                    if (error) {
                        throw translate(*error);
                    }
                    const auto kept = std::make_shared<Kept>(detail::kept_value(std::move(values))...);
                    loop.post([answer, kept] { answer.set(std::move(*kept)); });
                } catch (const Error&) {
                    loop.post([answer, failure = std::current_exception()] { answer.fail(failure); });
                }
            });
    } catch (const sdbus::Error& error) {
        throw method.translate(error);
    }
    return answer;
}

/// Has calls done by the loop, as long as their owner is there: for what is called from inside sdbus-c++, which goes on using what the call might
/// destroy.
class Later {
public:
    Later(EventLoop& loop, std::weak_ptr<bool> alive) : loop_{&loop}, alive_{std::move(alive)} {}
    void operator()(std::function<void()> call) const
    {
        loop_->post([alive = alive_, call = std::move(call)] {
            if (alive.lock()) {
                call();
            }
        });
    }

private:
    EventLoop* loop_;
    std::weak_ptr<bool> alive_;
};

/// A proxy that sdbus-c++ has generated, registered for as long as it is there. The connection is the loop's own, so nothing comes before whoever
/// derives from it is whole.
template <typename Generated>
class RegisteredProxy : public sdbus::ProxyInterfaces<Generated> {
public:
    RegisteredProxy(const RegisteredProxy&) = delete;
    RegisteredProxy& operator=(const RegisteredProxy&) = delete;
    RegisteredProxy(RegisteredProxy&&) = delete;
    RegisteredProxy& operator=(RegisteredProxy&&) = delete;
    sdbus::IProxy& proxy() noexcept { return this->getProxy(); }

protected:
    RegisteredProxy(sdbus::IConnection& connection, const std::string& name, const std::string& path)
        : sdbus::ProxyInterfaces<Generated>{connection, bus::ServiceName{name}, sdbus::ObjectPath{path}}
    {
        this->registerProxy();
    }
    ~RegisteredProxy() { this->unregisterProxy(); }
};

}  // namespace banger::agent
