// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace banger::broker {

/// Gives away what the broker never needs, before its first message and whoever started it (R28): all capabilities but CAP_SYS_ADMIN and
/// CAP_NET_ADMIN in all sets, new privileges by exec, the caller's umask, folder and descriptors above 2, and the system calls that start
/// programs, change namespaces or mounts, load modules or look into other processes. Throws Failed; then the broker must not run.
/// Before the first thread, as each of these is a thread's own.
void harden();

}  // namespace banger::broker
