// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <libdevmapper.h>

#include <cstdint>

namespace banger::broker {

/// What tells that udev has done with a change of a device-mapper node: a semaphore that udev's rules lower. One a change.
class UdevCookie {
public:
    /// Throws HostLacks when udevd does not run.
    explicit UdevCookie(dm_task* task);
    UdevCookie(const UdevCookie&) = delete;
    UdevCookie& operator=(const UdevCookie&) = delete;
    /// One that was not waited for takes the semaphore away.
    ~UdevCookie();

    /// False: udev has not answered within 30 s. After a change that failed it returns at once.
    bool wait();

private:
    std::uint32_t cookie_{0};
};

}  // namespace banger::broker
