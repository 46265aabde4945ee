// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "guest/boot/rooted.hpp"

namespace banger::guest {

/// Makes in `target` the folders that an image has in its /run, with owners and modes: our own /run is about to cover them, and programs such as
/// sshd count on theirs. Folders alone, 1,000 at most; what is in `target` already stays, and what can't be made is the image's loss.
void make_run_folders(const Rooted& image, const std::string& target);

}  // namespace banger::guest
