// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace banger::cli {

/// The text of an ssh_config(5) with `line` in force for all hosts: as it is where the line stands before the first Host or Match, else
/// with the line as its first one, and nowhere else. Every other byte stays.
std::string with_include(std::string_view text, std::string_view line);

/// The text without that line, and with every other byte: without_include(with_include(text)) is text, where it had no such line.
std::string without_include(std::string_view text, std::string_view line);

}  // namespace banger::cli
