// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <utility>

#include "agent/core/desktop/desk.hpp"
#include "agent/core/desktop/image_news.hpp"
#include "agent/core/desktop/notices.hpp"
#include "agent/core/desktop/vm_news.hpp"
#include "agent/ports/notifier.hpp"
#include "agent/ports/terminals.hpp"
#include "agent/service/agent.hpp"
#include "agent/service/desktop/runner_object.hpp"
#include "agent/service/desktop/search_provider_object.hpp"

namespace banger::agent {

/// The desktop that the session bus leads to, wired in main.cpp. Both outlive Desktop.
struct DesktopPorts {
    Notifier& notifier;
    Terminals& terminals;
};

/// What a desktop has of bangerd: its searches find VMs, and notifications tell what a person must know. Loop thread.
class Desktop {
public:
    Desktop(sdbus::IConnection& connection, Agent& agent, const DesktopPorts& ports);
    Desktop(const Desktop&) = delete;
    Desktop& operator=(const Desktop&) = delete;
    ~Desktop();

    /// Calls that came since this was last asked.
    std::uint64_t calls_since_asked() noexcept { return std::exchange(count_, 0); }

private:
    void follow_vms();
    void follow_operations();

    Agent* agent_;
    Notifier* notifier_;
    std::uint64_t count_{0};
    VmNews vm_news_;
    ImageNews image_news_;
    Notices notices_;
    Desk desk_;
    SearchProviderObject search_provider_;
    RunnerObject runner_;
};

}  // namespace banger::agent
