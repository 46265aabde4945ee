// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/error.hpp"

namespace banger::agent {

/// Gives `reason` as the answer to the calls for which the session bus started a bangerd that can't serve. For that it takes the
/// bus name and gives it back at once. Nothing happens where the name is another's or no bus can be reached.
void answer_waiting_calls(const Error& reason) noexcept;

}  // namespace banger::agent
