// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/messages.hpp"

namespace banger::guest {

/// Ends all other processes: SIGTERM, at most `limit` later SIGKILL. PID 1 only; reaps them.
void end_processes(int limit_ms);
/// Unmounts what it can, mounts the rest read-only, syncs.
void end_file_systems();
/// reboot(2), as PID 1. Halt powers off, for a halted VM would be a hung one; with `reset_to_power_off` all end in a reset.
void end_machine(wire::ShutdownKind kind, bool reset_to_power_off);

}  // namespace banger::guest
