// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/udev_cookie.hpp"

#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "common/error.hpp"

namespace banger::broker {
namespace {

constexpr std::chrono::seconds udev_limit{30};

/// Nothing looks into what a guest has written (R20), and nobody takes the node for a disk of LVM or multipath.
constexpr std::uint16_t flags = DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
                                DM_UDEV_DISABLE_OTHER_RULES_FLAG | DM_UDEV_DISABLE_LIBRARY_FALLBACK;

/// Until ours is the last hold on it, which is 1: in one atomic step it is lowered, found to be 0, and raised again. dm_udev_wait() itself
/// would wait for ever where udevd died (libdm-common.c, _udev_wait).
bool wait_for_udev(std::uint32_t cookie)
{
    const int semaphore = ::semget(static_cast<key_t>(cookie), 1, 0);
    std::array<sembuf, 3> steps{{{0, -1, 0}, {0, 0, 0}, {0, 1, 0}}};
    const timespec limit{.tv_sec = udev_limit.count(), .tv_nsec = 0};
    int done = -1;
    do {
        done = ::semtimedop(semaphore, steps.data(), steps.size(), &limit);
    } while (done < 0 && errno == EINTR);
    return done == 0;
}

}  // namespace

UdevCookie::UdevCookie(dm_task* task)
{
    // The library asks once a process, and without udev makes the nodes itself.
    if (::access("/run/udev/control", F_OK) != 0 || dm_udev_get_sync_support() == 0) {
        throw Error{ErrorCode::HostLacks, "udevd does not run here, and nothing else makes nodes of device-mapper"};
    }
    if (dm_task_set_cookie(task, &cookie_, flags) == 0) {
        throw Error{ErrorCode::Failed, "there is no semaphore by which udev could tell that it is done"};
    }
}

bool UdevCookie::wait()
{
    const bool told = wait_for_udev(cookie_);
    if (told) {
        dm_udev_wait(cookie_);
        cookie_ = 0;
    }
    return told;
}

UdevCookie::~UdevCookie()
{
    if (cookie_ != 0) {
        ::semctl(::semget(static_cast<key_t>(cookie_), 1, 0), 0, IPC_RMID);
    }
}

}  // namespace banger::broker
