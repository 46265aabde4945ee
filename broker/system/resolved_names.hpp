// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>

#include "broker/ports/names.hpp"

namespace sdbus {
class IConnection;
class IProxy;
}  // namespace sdbus

namespace banger::broker {

/// systemd-resolved by its D-Bus interface (org.freedesktop.resolve1(5)): SetLinkDNSEx, SetLinkDomains with the one name, RevertLink.
/// Only the exact name is routed: with a domain of several links, resolved asks any of them (R31).
class ResolvedNames final : public NameRouting {
public:
    /// The connection must outlive it and be attached to the loop.
    explicit ResolvedNames(sdbus::IConnection& bus);
    ~ResolvedNames() override;

    void publish(const SandboxNetwork& network, const std::string& name, std::uint16_t port, Done done) override;
    void withdraw(const SandboxNetwork& network, Done done) override;

private:
    void set_domain(int link, const std::string& name, Done done);
    void revert(int link, Done done);

    std::unique_ptr<sdbus::IProxy> resolved_;
};

}  // namespace banger::broker
