// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/proxies.hpp"

#include <memory>
#include <string>

namespace banger::cli {

enum class WhenAbsent { Start, Leave };

/// A connection to bangerd.
class Agent {
public:
    /// bangerd at $BANGER_BUS_ADDRESS, else the one that announced itself, else the session bus's, else one started here on a bus of its
    /// own. With WhenAbsent::Leave nullptr where none runs. Else it has heard of this environment (Manager.ShareEnvironment, a call that is left out
    /// where its announcement agrees), unless the address was given. Throws Unavailable, HostLacks, WrongState (it runs with another
    /// environment), InvalidArgument (a bad variable).
    static std::unique_ptr<Agent> connect(WhenAbsent when_absent);

    sdbus::IConnection& connection() noexcept { return *connection_; }
    ManagerProxy& manager() noexcept { return manager_; }
    /// Throws NotFound.
    std::unique_ptr<VmProxy> find_vm(const std::string& name);

    explicit Agent(std::unique_ptr<sdbus::IConnection> connection);

private:
    std::unique_ptr<sdbus::IConnection> connection_;
    ManagerProxy manager_;
};

}  // namespace banger::cli
