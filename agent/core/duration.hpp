// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace banger::agent {

/// Shape: one or more of digits and a unit, s, m, h or d, as in "90m" and "1h30m"; or "0". At most 10 years.
/// Throws InvalidArgument.
std::chrono::seconds parse_duration(std::string_view text);

/// As parse_duration() takes it, without units that count nothing: "12h", "1h30m", "0".
std::string to_string(std::chrono::seconds duration);

}  // namespace banger::agent
