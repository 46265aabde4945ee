// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace banger::agent {

/// A VM that this host reaches.
struct HostName {
    std::string name;     ///< without ".vm"
    std::string address;  ///< IPv4
    bool operator==(const HostName&) const = default;
};

/// Where this user's programs find the addresses of his VMs by name. Loop thread.
class HostNames {
public:
    HostNames() = default;
    HostNames(const HostNames&) = delete;
    HostNames& operator=(const HostNames&) = delete;
    virtual ~HostNames() = default;

    /// In place of all that were told before, by a bangerd before this one, too. Throws NoSpace, Failed.
    virtual void tell(const std::vector<HostName>& names) = 0;
};

}  // namespace banger::agent
