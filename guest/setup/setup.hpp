// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "guest/wire/messages.hpp"

namespace banger::guest {

/// Applies all of `configure`, as far as it can. What failed, a sentence each. Doing it twice is the same as once.
std::vector<std::string> apply(const wire::Configure& configure);

}  // namespace banger::guest
