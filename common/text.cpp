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
        const auto length = sequence_length(bytes);
        if (length == 0) {
            text += '?';
        } else {
            text += bytes.substr(0, length);
        }
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return text;
}

}  // namespace banger
