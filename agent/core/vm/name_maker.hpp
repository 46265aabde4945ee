// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "common/ids.hpp"

namespace banger::agent {

/// A name of two words such as calm-otter that `is_taken` does not know. `random(n)` gives 0 to n - 1.
/// After many tries a number is added, so it always ends.
VmName make_name(const std::function<bool(const VmName&)>& is_taken,
                 const std::function<std::size_t(std::size_t)>& random);
/// With the kernel's random generator.
VmName make_name(const std::function<bool(const VmName&)>& is_taken);

}  // namespace banger::agent
