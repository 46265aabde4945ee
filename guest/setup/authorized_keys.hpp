// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "guest/boot/rooted.hpp"

namespace banger::guest {

/// `file` with the block between our two marks replaced by `keys`; lines of others stay.
std::string with_keys(const std::string& file, const std::vector<std::string>& keys);

/// Puts the keys into root's authorized_keys: folder 0700, file 0600, owner 0:0. Throws NoSpace, Failed.
void set_authorized_keys(const Rooted& root, const std::vector<std::string>& keys);

}  // namespace banger::guest
