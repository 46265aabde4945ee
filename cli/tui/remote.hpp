// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/proxies.hpp"

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace banger::cli::tui {

/// A proxy's calls, for those who don't wait.
class CallsInterface {
public:
    void registerProxy() {}  // what 2.x calls on each interface
    sdbus::IProxy& calls() noexcept { return proxy_; }

protected:
    explicit CallsInterface(sdbus::IProxy& proxy) : proxy_{proxy} {}
    ~CallsInterface() = default;

private:
    sdbus::IProxy& proxy_;
};

/// One object of bangerd's, and how many answers it owes.
class RemoteObject final : public sdbus::ProxyInterfaces<CallsInterface> {
public:
    RemoteObject(sdbus::IConnection& connection, const std::string& path)
        : ProxyInterfaces{connection, bus::ServiceName{agent_bus_name}, sdbus::ObjectPath{path}}
    {
        registerProxy();
    }
    RemoteObject(const RemoteObject&) = delete;
    RemoteObject& operator=(const RemoteObject&) = delete;
    ~RemoteObject() { unregisterProxy(); }

    std::size_t owed{0};
};

struct Method {
    std::string path;
    const char* interface;
    const char* name;
};

inline constexpr auto manager_interface = "dev.banger.Agent1.Manager";
inline constexpr auto vm_interface = "dev.banger.Agent1.Vm";
inline constexpr auto image_interface = "dev.banger.Agent1.Image";
inline constexpr auto operation_interface_name = "dev.banger.Agent1.Operation";
inline constexpr auto properties_interface = "org.freedesktop.DBus.Properties";

/// Calls on bangerd that nobody waits for: each answer comes by the event loop, and none after this object's end.
class Remote {
public:
    enum class Limit { Usual, None };
    template <typename... Values>
    using Reply = std::function<void(const std::optional<Error>& problem, const Values&... values)>;

    explicit Remote(sdbus::IConnection& connection) : connection_{&connection} {}

    /// A call that can't be sent gets no answer: then the connection is gone, which its owner is told.
    template <typename... Values, typename... Arguments>
    void call(const Method& method, Limit limit, std::type_identity_t<Reply<Values...>> reply,
              const Arguments&... arguments)
    {
        auto& target = object(method.path);
        ++target.owed;
        try {
            // In one expression: what it is made of refers to the name.
            target.calls()
                .callMethodAsync(method.name)
                .onInterface(method.interface)
                .withTimeout(limit == Limit::None ? UINT64_MAX : 0)
                .withArguments(arguments...)
                .uponReplyInvoke([&target, reply = std::move(reply)](bus::MaybeError error, const Values&... values) {
                    try {
                        reply(error ? std::optional<Error>{agent_error(*error)} : std::nullopt, values...);
                    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
                        // Not what the interface promises; through sd-bus nothing may be thrown, and other answers are no worse for it.
                    }
                    --target.owed;
                });
        } catch (const sdbus::Error&) {
            --target.owed;
        }
    }

private:
    RemoteObject& object(const std::string& path);

    sdbus::IConnection* connection_;
    std::map<std::string, std::unique_ptr<RemoteObject>> objects_;
};

}  // namespace banger::cli::tui
