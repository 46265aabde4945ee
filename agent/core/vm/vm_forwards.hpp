// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "agent/core/vm/vm.hpp"
#include "agent/ports/tcp_port.hpp"

namespace banger::agent {

/// Ports of this host that lead into a guest, over its channel: they need no network. A VM's end closes them; a reboot and a restart
/// leave them, and a bangerd that comes back opens them again. Loop thread.
class VmForwards {
public:
    using Log = std::function<void(const std::string& message, const VmPtr&)>;

    VmForwards(OpenTcpPort open_port, Log log) : open_port_{std::move(open_port)}, log_{std::move(log)} {}

    /// Port 0: any free one; the result has its number. Connections go to a port of the guest's loopback. The row is the caller's to write.
    /// Throws WrongState (it doesn't run), and what OpenTcpPort throws.
    Forward open(const VmPtr& vm, Forward wish) const;
    /// Throws NotFound. Connections that are there go on.
    static void close(const VmPtr& vm, const std::string& address, std::uint16_t port);
    /// For a VMM that was just started or taken over: opens what its row has. One that can't be had is logged and forgotten.
    void reopen(const VmPtr& vm) const;

private:
    std::unique_ptr<TcpPort> listen(const VmPtr& vm, const Forward& forward) const;

    OpenTcpPort open_port_;
    Log log_;
};

}  // namespace banger::agent
