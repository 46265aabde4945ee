// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/config.hpp"

namespace banger::broker {

struct HostFinding {
    std::string what;
    bool works;
    std::string detail;  ///< what is missing, and the command that mends it
};

/// What of the kernel, udev, polkit and resolved the broker finds here. Changes nothing; as an ordinary user too.
std::vector<HostFinding> check_host(const AddressPool& pool);

}  // namespace banger::broker
