// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/netguard/address_set.hpp"
#include "common/unique_fd.hpp"

namespace banger::netguard {

/// The addresses of this host's interfaces, and word of each change, from rtnetlink(7).
class HostAddresses {
public:
    /// Throws Failed.
    HostAddresses();
    /// Readable when an address came or went since read().
    int fd() const noexcept { return socket_.get(); }
    /// As they are now. Throws Failed.
    AddressSet read();

private:
    UniqueFd socket_;
};

}  // namespace banger::netguard
