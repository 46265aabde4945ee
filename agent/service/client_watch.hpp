// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stop_token>
#include <string>

#include "dbus/compat/bus.hpp"

namespace banger::agent {

/// Of work that is done for the client of one call alone: it stops when that client leaves the bus, as at its Ctrl-C. Loop thread.
class ClientWatch {
public:
    /// `client`: its unique name. The connection must outlive this.
    ClientWatch(sdbus::IConnection& connection, const std::string& client)
        : owner_{connection, client, [stop = stop_](const std::string& now) {
                     if (now.empty()) {
                         stop.request_stop();
                     }
                 }}
    {
    }

    std::stop_token token() const noexcept { return stop_.get_token(); }

private:
    std::stop_source stop_;
    bus::NameOwner owner_;
};

}  // namespace banger::agent
