// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/boot/rooted.hpp"

namespace banger::guest {

/// Takes out of an image what no two machines may have in common, if it is there: the machine id (emptied, as of machine-id(5): the next boot
/// makes one), sshd's host keys, and systemd's random seed and credential secret. For a machine's first boot, before any of its programs
/// runs. Throws NoSpace, Failed.
void reset_identity(const Rooted& image);

}  // namespace banger::guest
