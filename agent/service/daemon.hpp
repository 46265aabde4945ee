// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <exception>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "agent/service/agent.hpp"
#include "agent/service/desktop/desktop.hpp"
#include "agent/service/manager_object.hpp"

namespace banger::agent {

struct DaemonSettings {
    std::string address;          ///< of the bus
    std::function<void()> ready;  ///< told once the bus name is ours
    /// With nothing running and no call for so long, it leaves; the next call starts it again.
    std::chrono::seconds idle_limit;
    std::optional<DesktopPorts> desktop;  ///< on the session bus
};

/// bangerd on its bus: one a state directory, announced there, leaving when nobody needs it. Loop thread.
class Daemon {
public:
    /// `connection` is attached to the loop.
    Daemon(EventLoop& loop, Agent& agent, sdbus::IConnection& connection, DaemonSettings settings);
    ~Daemon();

    /// Takes over what runs, then serves. A failure ends the loop.
    void start();
    /// After the loop's end: throws what made start() fail.
    void throw_if_failed() const;

private:
    Task<void> serve();
    void announce() const;
    void announce_anew() const;
    void watch_idleness();
    bool is_idle();
    void leave();
    void terminate();

    EventLoop* loop_;
    Agent* agent_;
    sdbus::IConnection* connection_;
    DaemonSettings settings_;
    std::unique_ptr<ManagerObject> manager_;
    std::unique_ptr<Desktop> desktop_;
    EventLoop::Source idle_timer_;
    EventLoop::Source terminate_;
    EventLoop::Source interrupt_;
    bool announced_{false};
    bool leaving_{false};
    bool told_to_leave_{false};
    std::exception_ptr failure_;
};

/// The lock that makes it one bangerd a state directory; held until the program ends. That and the cache are made where they are not there.
/// Throws AlreadyExists with the other's address, NotAuthorized when somebody else may write one of them, and where they can't be made or locked
/// what that is (a home that is read-only, full, on NFS) with what shows more.
UniqueFd lock_state(const Paths& paths);

/// " on the host NAME" for a bangerd that has announced itself on another host that shares the home (NFS); else empty.
std::string other_host_in(const nlohmann::json& announcement);

}  // namespace banger::agent
