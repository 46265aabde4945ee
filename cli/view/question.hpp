// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::cli {

/// Whether there is somebody to ask: standard input and standard error are terminals.
bool can_ask() noexcept;

/// Asks on standard error, and takes anything but y or yes for a no. Signals do what they usually do.
bool says_yes(const std::string& question);

}  // namespace banger::cli
