// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace banger {

/// Untrusted text as it may be repeated in a sentence: its first `limit` bytes, those that aren't printable ASCII as '?'.
std::string shown(std::string_view text, std::size_t limit = 64);

/// Any bytes as UTF-8: what is none becomes '?', byte by byte, and so does NUL. A D-Bus string may hold nothing else, and guests, logs and
/// file names do. Shape: RFC 3629, section 4 (no surrogates, nothing above U+10FFFF, no overlong forms), without Unicode's noncharacters.
std::string to_utf8(std::string_view bytes);

/// As one word of a shell's: sh, and what people log in with (bash, zsh, fish).
std::string shell_word(std::string_view text);

/// Of a C library that says "none" with a null pointer.
inline std::string or_empty(const char* text) { return text != nullptr ? text : ""; }

}  // namespace banger
