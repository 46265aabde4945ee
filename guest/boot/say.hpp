// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::guest {

/// A line on stderr: the console at boot, the journal for the service.
void say(const std::string& line) noexcept;

}  // namespace banger::guest
