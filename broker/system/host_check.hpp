// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "broker/core/config.hpp"

namespace banger::broker {

struct HostFinding {
    std::string what;
    bool works;
    std::string detail;  ///< what is missing, and the command that mends it
};

/// Whether systemd-resolved is there, for which the broker publishes names.
enum class Resolved { Absent, There };

/// How programs of this host find a VM as NAME.vm. `name_switch`: nsswitch.conf(5).
HostFinding finding_of_host_names(Resolved resolved, const std::filesystem::path& name_switch);

/// What of the kernel, udev, polkit and resolved the broker finds here. Changes nothing; as an ordinary user too.
std::vector<HostFinding> check_host(const AddressPool& pool);

}  // namespace banger::broker
