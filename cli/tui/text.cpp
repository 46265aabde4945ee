// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/text.hpp"

#include "cli/view/escape.hpp"

#include <algorithm>
#include <cwchar>

namespace banger::cli::tui {
namespace {

constexpr std::size_t most_combined = 2;

struct Decoded {
    wchar_t code{0};
    std::size_t bytes{1};
    bool is_character{false};
};

/// By the C library and the locale, as ncurses does it.
Decoded decode(std::string_view text)
{
    std::mbstate_t state{};
    wchar_t code = 0;
    const auto length = std::mbrtowc(&code, text.data(), text.size(), &state);
    const bool is_character = length > 0 && length <= text.size();
    return is_character ? Decoded{code, length, true} : Decoded{};
}

/// The bytes of a character of UTF-8 for a terminal that has none.
std::size_t utf8_length(std::string_view text)
{
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) {
        ++length;
    }
    return length;
}

bool is_ascii(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20U && byte < 0x7FU;
}

Drawn drawn_in_utf8(std::string_view text)
{
    const auto base = decode(text);
    const int width = base.is_character ? ::wcwidth(base.code) : -1;
    if (width <= 0) {  // nothing that takes a column of its own: a lone combining character, or one that no font has
        return {base.bytes, 1, "?"};
    }
    Drawn drawn{base.bytes, static_cast<std::size_t>(width), std::string{text.substr(0, base.bytes)}};
    for (std::size_t combined = 0; drawn.bytes < text.size(); ++combined) {
        const auto next = decode(text.substr(drawn.bytes));
        if (!next.is_character || ::wcwidth(next.code) != 0) {
            break;
        }
        if (combined < most_combined) {
            drawn.shown += text.substr(drawn.bytes, next.bytes);
        }
        drawn.bytes += next.bytes;
    }
    return drawn;
}

}  // namespace

Drawn first_drawn(std::string_view text, Charset charset)
{
    if (is_ascii(text.front()) && (text.size() == 1 || is_ascii(text[1]))) {  // most of all there is
        return {1, 1, std::string{text.substr(0, 1)}};
    }
    if (charset == Charset::Utf8) {
        return drawn_in_utf8(text);
    }
    return is_ascii(text.front()) ? Drawn{1, 1, std::string{text.substr(0, 1)}} : Drawn{utf8_length(text), 1, "?"};
}

std::string harmless(std::string_view text, Charset charset)
{
    const auto safe = escaped(text);
    std::string shown;
    shown.reserve(safe.size());
    for (std::string_view rest{safe}; !rest.empty();) {
        const auto drawn = first_drawn(rest, charset);
        shown += drawn.shown;
        rest.remove_prefix(drawn.bytes);
    }
    return shown;
}

std::size_t columns_of(std::string_view text, Charset charset)
{
    std::size_t columns = 0;
    while (!text.empty()) {
        const auto drawn = first_drawn(text, charset);
        columns += drawn.columns;
        text.remove_prefix(drawn.bytes);
    }
    return columns;
}

std::string fitted(std::string_view text, std::size_t width, Charset charset, Align align)
{
    const auto whole = columns_of(text, charset);
    const bool is_cut = whole > width;
    const auto room = is_cut && width > 0 ? width - 1 : width;  // the last column tells that there is more
    std::string shown;
    std::size_t used = 0;
    while (!text.empty()) {
        const auto drawn = first_drawn(text, charset);
        if (used + drawn.columns > room) {
            break;
        }
        shown += drawn.shown;
        used += drawn.columns;
        text.remove_prefix(drawn.bytes);
    }
    if (is_cut && width > 0) {
        shown += charset == Charset::Utf8 ? "…" : "~";
        ++used;
    }
    const std::string padding(width - std::min(width, used), ' ');
    return align == Align::Right ? padding + shown : shown + padding;
}

}  // namespace banger::cli::tui
