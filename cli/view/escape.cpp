// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/escape.hpp"

#include <cstdint>
#include <utility>

namespace banger::cli {
namespace {

struct Character {
    std::uint32_t code{0};
    std::size_t length{0};  ///< in bytes; 0: not UTF-8
    bool is_cut{false};     ///< the text ends in the middle of it
};

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// Source: RFC 3629, section 4.
Character first_character(std::string_view text)
{
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80U) {
        return {lead, 1};
    }
    const std::size_t length = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
    if (lead < 0xC2U || lead > 0xF4U) {
        return {};
    }
    std::uint32_t code = lead & (0xFFU >> (length + 1));
    for (std::size_t index = 1; index < length; ++index) {
        if (index == text.size()) {
            return {0, 0, true};
        }
        if (!is_continuation(text[index])) {
            return {};
        }
        code = (code << 6U) | (static_cast<unsigned char>(text[index]) & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800U) || (length == 4 && code < 0x10000U);
    const bool surrogate = code >= 0xD800U && code <= 0xDFFFU;
    return overlong || surrogate || code > 0x10FFFFU ? Character{} : Character{code, length};
}

bool drives_a_terminal(std::uint32_t code)
{
    const bool control = code < 0x20U || (code >= 0x7FU && code < 0xA0U);
    const bool direction = code == 0x061CU || code == 0x200EU || code == 0x200FU ||
                           (code >= 0x2028U && code <= 0x202EU) || (code >= 0x2066U && code <= 0x2069U);
    const bool no_character = (code & 0xFFFEU) == 0xFFFEU || (code >= 0xFDD0U && code <= 0xFDEFU);
    return control || direction || no_character;
}

void append_hex(std::string& shown, std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        shown += "\\x";
        shown += digits[byte >> 4U];
        shown += digits[byte & 0xFU];
    }
}

/// Takes what can be judged off the front of `text`; what is left is a cut character.
std::string escape_whole(std::string_view& text, KeepLines keep)
{
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const auto next = first_character(text);
        if (next.is_cut) {
            break;
        }
        const auto bytes = text.substr(0, next.length == 0 ? 1 : next.length);
        const bool line = keep == KeepLines::Yes && (next.code == '\n' || next.code == '\t') && next.length == 1;
        if (next.length == 0 || (drives_a_terminal(next.code) && !line)) {
            append_hex(shown, bytes);
        } else {
            shown += bytes;
        }
        text.remove_prefix(bytes.size());
    }
    return shown;
}

}  // namespace

std::string escaped(std::string_view text, KeepLines keep)
{
    auto shown = escape_whole(text, keep);
    append_hex(shown, text);
    return shown;
}

std::size_t width_of(std::string_view text) noexcept
{
    std::size_t width = 0;
    for (const char c : text) {
        width += is_continuation(c) ? 0 : 1;
    }
    return width;
}

std::string StreamEscaper::feed(std::string_view piece)
{
    std::string whole = std::move(kept_);
    whole += piece;
    // A line of a serial console ends in \r\n.
    std::string unix_lines;
    unix_lines.reserve(whole.size());
    for (std::size_t index = 0; index < whole.size(); ++index) {
        const bool before_newline = index + 1 < whole.size() && whole[index + 1] == '\n';
        if (whole[index] == '\r' && index + 1 == whole.size()) {
            break;
        }
        if (whole[index] != '\r' || !before_newline) {
            unix_lines += whole[index];
        }
    }
    const bool held_return = !whole.empty() && whole.back() == '\r';
    std::string_view rest = unix_lines;
    auto shown = escape_whole(rest, KeepLines::Yes);
    kept_ = std::string{rest} + (held_return ? "\r" : "");
    return shown;
}

std::string StreamEscaper::finish() { return escaped(std::exchange(kept_, {}), KeepLines::Yes); }

}  // namespace banger::cli
