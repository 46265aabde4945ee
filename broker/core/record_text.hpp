// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "broker/core/sandbox.hpp"

namespace banger::broker {

/// A record as the journal keeps it: TOML, one key a line.
std::string record_text(const SandboxRecord& record);
/// The reverse. Throws InvalidArgument ("FILE:LINE: what") for whatever record_text() would not write, a later version's too.
SandboxRecord parse_record(std::string_view text, std::string_view file);

}  // namespace banger::broker
