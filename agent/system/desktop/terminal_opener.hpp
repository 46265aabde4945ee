// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/terminals.hpp"
#include "common/event_loop.hpp"
#include "common/lane.hpp"

namespace sdbus {
class IConnection;
class IProxy;
}  // namespace sdbus

namespace banger::agent {

/// xdg-terminal-exec, which knows what the user likes best, or Debian's x-terminal-emulator. A unit of the user's systemd where there is one,
/// as that has the session's display in its environment and bangerd, which anything may have started, has not; else a process of its own
/// with bangerd's environment. Never by a shell.
class TerminalOpener final : public Terminals {
public:
    /// `systemd`: the bus that it is on, attached to `loop`; null where there is none.
    TerminalOpener(EventLoop& loop, Lane& lane, sdbus::IConnection* systemd, std::filesystem::path home);
    ~TerminalOpener() override;

    Task<void> open(TerminalCommand command) override;

private:
    Task<void> open_as_unit(TerminalCommand command);

    EventLoop* loop_;
    Lane* lane_;
    sdbus::IConnection* systemd_;
    std::filesystem::path home_;
    std::shared_ptr<sdbus::IProxy> manager_;
};

/// What opens a terminal with `argv` in it. Worker thread: looks along PATH. Throws HostLacks, which names the command that brings one.
std::vector<std::string> in_a_terminal(const std::vector<std::string>& argv);

}  // namespace banger::agent
