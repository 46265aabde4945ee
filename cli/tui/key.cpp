// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/key.hpp"

#include <cstdint>

namespace banger::cli::tui {
namespace {

constexpr std::size_t longest_text = 512;

bool is_continuation_byte(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

void append_utf8(std::string& text, char32_t character)
{
    const auto code = static_cast<std::uint32_t>(character);
    const auto byte = [&text](std::uint32_t value) { text += static_cast<char>(static_cast<unsigned char>(value)); };
    if (code < 0x80U) {
        byte(code);
        return;
    }
    if (code < 0x800U) {
        byte(0xC0U | (code >> 6U));
    } else {
        if (code < 0x10000U) {
            byte(0xE0U | (code >> 12U));
        } else {
            byte(0xF0U | (code >> 18U));
            byte(0x80U | ((code >> 12U) & 0x3FU));
        }
        byte(0x80U | ((code >> 6U) & 0x3FU));
    }
    byte(0x80U | (code & 0x3FU));
}

bool can_be_typed(char32_t character)
{
    const auto code = static_cast<std::uint32_t>(character);
    const bool control = code < 0x20U || (code >= 0x7FU && code < 0xA0U);
    const bool surrogate = code >= 0xD800U && code < 0xE000U;
    return !control && !surrogate && code <= 0x10FFFFU;
}

}  // namespace

bool TypedText::press(const Key& key)
{
    if (key.kind == Key::Kind::Backspace) {
        while (!text_.empty() && is_continuation_byte(text_.back())) {
            text_.pop_back();
        }
        if (!text_.empty()) {
            text_.pop_back();
        }
        return true;
    }
    if (key.is(with_control('u'))) {
        text_.clear();
        return true;
    }
    if (key.kind != Key::Kind::Character || !can_be_typed(key.character)) {
        return false;
    }
    if (text_.size() < longest_text) {
        append_utf8(text_, key.character);
    }
    return true;
}

}  // namespace banger::cli::tui
