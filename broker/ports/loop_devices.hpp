// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "broker/ports/device_mapper.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {

/// A loop device that is gone (AUTOCLEAR) as soon as nothing holds it: neither this descriptor nor a device-mapper table. So a killed broker
/// leaves none.
struct Loop {
    UniqueFd descriptor;
    BlockDevice device;
};

/// Loop devices over files. Lane thread.
class LoopDevices {
public:
    enum class Access { ReadOnly, ReadWrite };

    LoopDevices() = default;
    LoopDevices(const LoopDevices&) = delete;
    LoopDevices& operator=(const LoopDevices&) = delete;
    virtual ~LoopDevices() = default;

    /// Over `file`, from its first byte to its end, with no partition scan and nothing for udev to probe (R20). `mark` is its lo_file_name.
    /// Throws HostLacks (no loop devices, or none is free), Failed.
    virtual Loop attach(int file, Access access, const std::string& mark) = 0;
    /// Lets a device see how long its file has become. Throws Failed, and NotFound when the device isn't over `file`.
    virtual void refresh(BlockDevice device, int file) = 0;
    /// Lets udev look again into devices that are others' now. Throws Failed.
    virtual void sweep() = 0;
};

}  // namespace banger::broker
