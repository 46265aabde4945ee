// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace banger::cli {

/// Sizes and such come in the order in which they were set.
using JsonValue = nlohmann::ordered_json;

/// Opens /dev/null for those of the three standard streams that are closed, so that no other file gets their number.
void hold_standard_streams() noexcept;

/// Writes all of it to standard output. A reader that is gone ends the program as SIGPIPE does; throws Failed or NoSpace otherwise.
void print(std::string_view text);
/// Where it is shown, what isn't ASCII is `\u009b` and the like: the same to a parser, and nothing to a terminal.
void print_json(const JsonValue& value);
/// On standard error: "banger: <text>", escaped for a terminal; of several lines, where the text is. Never throws.
void complain(std::string_view text) noexcept;
/// One line on standard error, escaped: a name in it that holds a newline makes no second one.
void remark(std::string_view text) noexcept;

bool is_terminal(int fd) noexcept;
/// Whether standard output is shown on a terminal: one here or, as `internal attached --shown` has it, of the host that has asked. What a guest wrote
/// is not for either as it stands.
bool is_shown() noexcept;
/// What tells a program that is started that it is; no setting, and so none of BANGER_*, which bangerd is told.
inline constexpr auto shown_variable = "_BANGER_OUTPUT_IS_SHOWN";
/// Of the terminal on standard output; 0 when it is none.
std::size_t terminal_width() noexcept;

/// "3 min", "2 h", "5 d" since that moment; "" for 0.
std::string age_of(std::int64_t seconds_since_1970);
/// 2026-07-01 12:34:56 in local time; "" for 0.
std::string date_of(std::int64_t seconds_since_1970);

/// The program ends as if this signal had ended it; returns only where that can't be.
void die_of(int signal) noexcept;

}  // namespace banger::cli
