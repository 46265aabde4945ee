// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::guest {

/// /init of the initrd, as PID 1: finds the disks, mounts them, and goes over to the image's init or to run_init().
int run_initrd();
/// Under the image's systemd.
int run_service();
/// As PID 1 of an image without an init.
int run_init();
/// Tells the running service that systemd has started everything ("booted"), or that it powers off, reboots or halts; returns
/// once the service is done with that.
int run_announce(const std::string& how);
/// Makes host keys for sshd where there are none.
int run_ssh_keys();

}  // namespace banger::guest
