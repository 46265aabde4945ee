// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>

#include "agent/system/fork_process_host.hpp"

namespace sdbus {
class IConnection;
}

namespace banger::agent {

/// Processes as transient services of the user's systemd: banger-VM-ROLE.service. They are no children of bangerd's own unit, so they
/// outlive it whatever stops it, and `systemctl --user status` shows them.
class SystemdProcessHost final : public ProcessHost {
public:
    /// How long a unit may go on after its process: its ExecStop runs even then, 15 s at most (some 150 ms where nothing is left to do),
    /// and the name is taken as long.
    static constexpr std::chrono::milliseconds usual_name_limit{20'000};

    /// `bus` is attached to `loop`. `plain` finds those that a bangerd without systemd started.
    SystemdProcessHost(EventLoop& loop, sdbus::IConnection& bus, ForkProcessHost& plain,
                       std::chrono::milliseconds name_limit = usual_name_limit);
    ~SystemdProcessHost() override;

    /// Whether a systemd user manager is on this bus. Blocks; for the start of the program alone.
    static bool is_on(sdbus::IConnection& bus);

    Task<ProcessId> start(ProcessSpec spec) override;
    Task<ProcessId> find(VmId vm, std::string role, std::filesystem::path directory, ProcessId noted) override;

private:
    class Manager;
    /// Empty when it has none. Throws where systemd doesn't tell.
    Task<ProcessId> main_process(std::string unit);

    EventLoop* loop_;
    std::unique_ptr<Manager> manager_;
    ForkProcessHost* plain_;
    std::chrono::milliseconds name_limit_;
};

}  // namespace banger::agent
