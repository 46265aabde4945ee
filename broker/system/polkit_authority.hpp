// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <set>

#include "broker/ports/authority.hpp"

namespace sdbus {
class IConnection;
class IProxy;
}  // namespace sdbus

namespace banger::broker {

/// polkit by its D-Bus interface, org.freedesktop.PolicyKit1.Authority. Everything but a well-formed yes allows nothing.
class PolkitAuthority final : public Authority {
public:
    /// The connection must outlive it and be attached to the loop.
    explicit PolkitAuthority(sdbus::IConnection& bus);
    ~PolkitAuthority() override;

    Ticket ask(const std::string& sender, const std::string& action, const Details& details, Interaction interaction,
               std::function<void(Answer)> answered) override;
    void forget(Ticket ticket) noexcept override;

private:
    std::unique_ptr<sdbus::IProxy> polkit_;
    Ticket last_{0};
    std::set<Ticket> open_;
};

}  // namespace banger::broker
