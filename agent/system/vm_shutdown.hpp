// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

namespace banger::agent {

/// What a VM's unit runs when systemd ends it (its ExecStop), at a session's end above all: asks bangerd to stop the VM, or the guest
/// itself where no bangerd answers, and waits for the VMM `pid` to end. One that has not ended in time is systemd's to kill.
/// `folder` is the VM's. Throws Unavailable, TimedOut, Failed (the guest's words).
void shut_down_vm(const std::filesystem::path& folder, int pid);

}  // namespace banger::agent
