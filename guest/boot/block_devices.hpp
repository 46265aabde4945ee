// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "common/unique_fd.hpp"

namespace banger::guest {

/// Waits for disks by the kernel's uevents. Made before the drivers are loaded, so that no event is missed.
class BlockDevices {
public:
    BlockDevices();

    /// `spec`: "/dev/vdX" or "serial=NAME". The node's path. Throws NotFound when it isn't there `limit` from now.
    std::string wait_for(const std::string& spec, std::chrono::milliseconds limit = std::chrono::seconds{20});

private:
    UniqueFd events_;
};

}  // namespace banger::guest
