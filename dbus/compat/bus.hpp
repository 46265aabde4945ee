// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>

#include "common/error.hpp"
#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

#if __has_include(<sdbus-c++/VTableItems.h>)
#define BANGER_SDBUS_2 1  // sdbus-c++ has no version macro; this header came with 2.0
#endif

/// All that differs between sdbus-c++ 1.2 (Debian 12) and 2.x (Debian 13). No other file may ask for the version.
namespace banger::bus {

#ifdef BANGER_SDBUS_2
using ServiceName = sdbus::ServiceName;
using InterfaceName = sdbus::InterfaceName;
using PropertyName = sdbus::PropertyName;
using MaybeError = std::optional<sdbus::Error>;
#else
using ServiceName = std::string;
using InterfaceName = std::string;
using PropertyName = std::string;
using MaybeError = const sdbus::Error*;
#endif

/// The user's session bus. Throws Unavailable.
std::unique_ptr<sdbus::IConnection> open_session_bus();
/// The system bus. Throws Unavailable.
std::unique_ptr<sdbus::IConnection> open_system_bus();
/// The bus at a D-Bus address such as unix:path=/run/user/1000/banger/bus. Throws Unavailable.
std::unique_ptr<sdbus::IConnection> open_bus(const std::string& address);

/// Serves a connection from `loop`; ends with the object. The connection must outlive it.
class LoopAttachment {
public:
    /// `lost` is called, once, when the bus is gone; nothing can be sent from then on.
    LoopAttachment(sdbus::IConnection& connection, EventLoop& loop, std::function<void()> lost);
    LoopAttachment(const LoopAttachment&) = delete;
    LoopAttachment& operator=(const LoopAttachment&) = delete;
    ~LoopAttachment();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The sole way in for a descriptor from the bus: checks it and sets close-on-exec, which sdbus-c++ (1.2 and 2.1) leaves off.
/// Throws InvalidArgument.
UniqueFd take_fd(sdbus::UnixFd&& fd);
/// A descriptor on its way out; ownership passes.
sdbus::UnixFd give_fd(UniqueFd&& fd);

/// As it goes over the wire.
sdbus::Error to_bus_error(const Error& error);
/// From the wire; a foreign name becomes Failed, UnknownObject NotFound, ServiceUnknown, NoReply and Disconnected become Unavailable.
Error from_bus_error(const sdbus::Error& error);

/// PropertiesChanged for these properties of `interface`, with their values as the getters give them.
void emit_changed(sdbus::IObject& object, const char* interface, std::initializer_list<const char*> properties);

/// The unique name of the connection whose message `object` is handling now. Throws Internal when there is none.
std::string sender_of(sdbus::IObject& object);
/// The same of the one whose signal `proxy` is handling.
std::string sender_of(sdbus::IProxy& proxy);

/// Follows who owns a well-known name. Anybody may send a connection a signal in the name of a service; whoever acts on one asks here
/// first. Loop thread; the connection must outlive it.
class NameOwner {
public:
    /// `changed` is told its unique name, or "", once that is known and at each change. From inside the bus: what it destroys, it destroys later.
    NameOwner(sdbus::IConnection& connection, std::string name, std::function<void(const std::string& owner)> changed);
    NameOwner(const NameOwner&) = delete;
    NameOwner& operator=(const NameOwner&) = delete;
    ~NameOwner();

    /// As it is known now.
    const std::string& now() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A signal for one connection alone, named by its unique name. One that is gone gets nothing.
template <typename... Values>
void emit_to(sdbus::IObject& object, const std::string& receiver, const char* interface, const char* name,
             const Values&... values)
{
#ifdef BANGER_SDBUS_2
    auto signal = object.createSignal(InterfaceName{interface}, sdbus::SignalName{name});
#else
    auto signal = object.createSignal(interface, name);
#endif
    (signal << ... << values);
    signal.setDestination(receiver);
    object.emitSignal(signal);
}

/// Calls `arrived` for each message that the rule (D-Bus specification, "Match Rules") lets through, until the slot goes. Waits for the bus to take
/// the rule, not for who sends. `arrived` must not throw.
[[nodiscard]] sdbus::Slot on_messages(sdbus::IConnection& connection, const std::string& rule,
                                      std::function<void(sdbus::Message&)> arrived);

/// Requests a name; export the objects first. Throws AlreadyExists when another owns it.
void request_name(sdbus::IConnection& connection, const std::string& name);
/// Gives it back; calls that the bus has taken for it by then still come. One that isn't ours is no error.
void release_name(sdbus::IConnection& connection, const std::string& name) noexcept;

}  // namespace banger::bus
