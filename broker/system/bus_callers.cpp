// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/bus_callers.hpp"

#include "dbus/compat/bus.hpp"

namespace banger::broker {

BusCallers::BusCallers(sdbus::IConnection& bus)
    : daemon_{
          sdbus::createProxy(bus, bus::ServiceName{"org.freedesktop.DBus"}, sdbus::ObjectPath{"/org/freedesktop/DBus"})}
{
}

BusCallers::~BusCallers() = default;

void BusCallers::uid_of(const std::string& sender, std::function<void(std::optional<uid_t>)> told)
{
    daemon_->callMethodAsync("GetConnectionUnixUser")
        .onInterface("org.freedesktop.DBus")
        .withArguments(sender)
        .uponReplyInvoke([told = std::move(told)](bus::MaybeError error, std::uint32_t uid) {
            told(error ? std::nullopt : std::optional<uid_t>{uid});
        });
}

}  // namespace banger::broker
