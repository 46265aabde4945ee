// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace banger::broker {

/// IPv4 forwarding of the interfaces that carry the default routes, while a sandbox has NAT. Lane thread.
class Forwarding {
public:
    Forwarding() = default;
    Forwarding(const Forwarding&) = delete;
    Forwarding& operator=(const Forwarding&) = delete;
    virtual ~Forwarding() = default;

    /// Switches it on where it is off, on those interfaces that carry a default route now, after writing down which; back off where one has
    /// left them and nobody else has changed it meanwhile.
    virtual void follow() = 0;
    /// Puts all back that is still ours.
    virtual void release() = 0;
};

}  // namespace banger::broker
