// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "agent/confine/grants.hpp"

namespace banger::confine {

/// The version of Landlock that this kernel has in force; 0: none.
int landlock_version();

/// From now on this process and what it becomes may use what is granted and nothing else: files, and with newer versions TCP ports, devices'
/// ioctls, signals and abstract sockets of others. Nothing happens where there is no Landlock. It takes no_new_privs. Throws Failed.
void restrict_files(const std::vector<Grant>& grants);

}  // namespace banger::confine
