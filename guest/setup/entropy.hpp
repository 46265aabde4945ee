// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::guest {

/// Mixes the host's random bytes into the kernel's generator and credits them. Throws Failed.
void add_entropy(const std::string& seed);

}  // namespace banger::guest
