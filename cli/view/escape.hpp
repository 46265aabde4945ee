// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace banger::cli {

/// Whether \n and \t are left alone.
enum class KeepLines { No, Yes };

/// For a terminal: control characters, also those of C1 and the ones that turn the writing direction, and bytes that aren't UTF-8 become
/// `\x1b` and the like. What a guest wrote may otherwise drive its reader's terminal.
std::string escaped(std::string_view text, KeepLines keep = KeepLines::No);

/// How many columns it takes on a terminal, as UTF-8 with every character one wide (names and paths, not prose).
std::size_t width_of(std::string_view text) noexcept;

/// Does it for text that comes in pieces, where a character may be cut by a border.
class StreamEscaper {
public:
    /// What can be shown by now; the start of an unfinished character is kept.
    std::string feed(std::string_view piece);
    /// What is left over at the end.
    std::string finish();

private:
    std::string kept_;
};

}  // namespace banger::cli
