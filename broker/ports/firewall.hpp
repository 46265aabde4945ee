// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/sandbox.hpp"

namespace banger::broker {

/// Our tables of nftables, `inet banger` and `netdev banger`, and two accepts a TAP in front of a foreign `ip filter` that drops what is
/// forwarded. Each call is one transaction. Lane thread. All throw HostLacks (no nftables), Failed. add() and set_nat() of one with NAT throw
/// HostLacks, too, where iptables-legacy drops what is forwarded: accepts of ours come after that.
class Firewall {
public:
    Firewall() = default;
    Firewall(const Firewall&) = delete;
    Firewall& operator=(const Firewall&) = delete;
    virtual ~Firewall() = default;

    /// Before the TAP goes up.
    virtual void add(const SandboxNetwork& network) = 0;
    /// What isn't there is no error; the TAP may be gone already.
    virtual void remove(const SandboxNetwork& network) = 0;
    virtual void set_nat(const SandboxNetwork& network) = 0;
    /// Everything of ours anew, for exactly these; with none, nothing of ours is left but what guards interfaces whose
    /// forwarding is on.
    virtual void restore(const std::vector<SandboxNetwork>& networks) = 0;
    /// Whether all is as the last call left it.
    virtual bool is_whole() = 0;
};

}  // namespace banger::broker
