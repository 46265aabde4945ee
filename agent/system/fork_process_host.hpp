// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/process_host.hpp"

namespace banger::agent {

/// Processes without systemd: a double fork, each a session of its own, with a pid file written before the program starts.
class ForkProcessHost final : public ProcessHost {
public:
    ForkProcessHost(EventLoop& loop, Lane& lane) : loop_{&loop}, lane_{&lane} {}
    Task<ProcessId> start(ProcessSpec spec) override;
    Task<ProcessId> find(VmId vm, std::string role, std::filesystem::path directory, ProcessId noted) override;

private:
    EventLoop* loop_;
    Lane* lane_;
};

}  // namespace banger::agent
