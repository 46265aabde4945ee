// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::guest {

/// Loads the kernel modules that `list` names, one absolute path of an uncompressed .ko a line, in this order. What can't be
/// loaded is said on the console: whether it was needed shows later.
void load_modules(const std::string& list);

}  // namespace banger::guest
