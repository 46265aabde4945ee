// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/text.hpp"

#include <algorithm>
#include <cstdint>

namespace banger {
namespace {

bool is_between(std::string_view bytes, std::size_t at, unsigned low, unsigned high)
{
    const auto byte = at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
    return byte >= low && byte <= high;
}

/// The length of the sequence at the front; 0 when it is none.
std::size_t sequence_length(std::string_view bytes)
{
    const auto lead = static_cast<unsigned char>(bytes.front());
    const auto tail = [&](std::size_t at) { return is_between(bytes, at, 0x80, 0xbf); };
    if (lead >= 0x01 && lead <= 0x7f) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return tail(1) ? 2 : 0;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        const bool second = is_between(bytes, 1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
        return second && tail(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const bool second = is_between(bytes, 1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
        return second && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

/// Code points that are no characters (U+FDD0 to U+FDEF and the last two of each plane; Unicode 15, section 23.7). sd-bus neither sends nor takes them
/// (unichar_is_valid of systemd 252), so one of them in one row would cost a caller the whole answer. `sequence`: of 3 or 4 bytes.
bool is_noncharacter(std::string_view sequence)
{
    constexpr unsigned tail_bits = 6;
    constexpr std::uint32_t tail_mask = 0x3f;
    std::uint32_t code = static_cast<unsigned char>(sequence.front()) & (0xffU >> (sequence.size() + 1));
    for (const char tail : sequence.substr(1)) {
        code = code << tail_bits | (static_cast<unsigned char>(tail) & tail_mask);
    }
    return (code & 0xfffeU) == 0xfffeU || (code >= 0xfdd0U && code <= 0xfdefU);
}

/// 0 also for what may be UTF-8, but not on the bus.
std::size_t length_of_character(std::string_view bytes)
{
    const auto length = sequence_length(bytes);
    return length > 2 && is_noncharacter(bytes.substr(0, length)) ? 0 : length;
}

}  // namespace

std::string shown(std::string_view text, std::size_t limit)
{
    std::string copy{text.substr(0, limit)};
    std::replace_if(
        copy.begin(), copy.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return copy;
}

std::string to_utf8(std::string_view bytes)
{
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto length = length_of_character(bytes);
        if (length == 0) {
            text += '?';
        } else {
            text += bytes.substr(0, length);
        }
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return text;
}

std::string shell_word(std::string_view text)
{
    std::string word = "'";
    for (const char c : text) {
        // Outside of the quotes both are the same to all shells; inside, fish reads a backslash before a quote or another backslash as its own.
        word += c == '\'' || c == '\\' ? std::string{"'\\"} + c + "'" : std::string(1, c);
    }
    return word + "'";
}

}  // namespace banger
