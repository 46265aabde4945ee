// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/view/table.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace banger::cli::tui {

/// What the terminal shows, by the locale's encoding (nl_langinfo(3), CODESET): UTF-8, or of anything else ASCII alone.
enum class Charset { Ascii, Utf8 };

/// The first character of a text that is drawn as one: a letter with what is combined with it.
struct Drawn {
    std::size_t bytes{0};    ///< of the text that it takes
    std::size_t columns{0};  ///< 1, or 2 for a wide one
    std::string shown;       ///< `?` where it can't be drawn
};
/// `text` isn't empty. At most two combining characters stay with a letter, the others are taken and not shown.
Drawn first_drawn(std::string_view text, Charset charset);

/// One line of anybody's words as it may stand on the screen: control characters, escape sequences and bytes that aren't UTF-8 as `\x1b` and the
/// like, and `?` for what this terminal can't show. What a guest or an image says never reaches the screen by another way.
std::string harmless(std::string_view text, Charset charset);

/// How many columns a harmless text takes.
std::size_t columns_of(std::string_view text, Charset charset);

/// A harmless text in exactly `width` columns: cut with `…` (`~` in ASCII), or filled up with blanks.
std::string fitted(std::string_view text, std::size_t width, Charset charset, Align align = Align::Left);

}  // namespace banger::cli::tui
