// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>

#include "broker/ports/authority.hpp"

namespace sdbus {
class IConnection;
class IProxy;
}  // namespace sdbus

namespace banger::broker {

/// Asks the bus daemon itself (org.freedesktop.DBus.GetConnectionUnixUser, D-Bus specification); nothing that a process says of itself.
class BusCallers final : public Callers {
public:
    /// The connection must outlive it and be attached to the loop.
    explicit BusCallers(sdbus::IConnection& bus);
    ~BusCallers() override;

    void uid_of(const std::string& sender, std::function<void(std::optional<uid_t>)> told) override;

private:
    std::unique_ptr<sdbus::IProxy> daemon_;
};

}  // namespace banger::broker
