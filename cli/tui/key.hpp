// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::cli::tui {

/// A key as it was pressed.
struct Key {
    enum class Kind {
        Character,
        Enter,
        Escape,
        Tab,
        BackTab,
        Backspace,
        Up,
        Down,
        Left,
        Right,
        PageUp,
        PageDown,
        Home,
        End,
        Other
    };
    Kind kind{Kind::Other};
    char32_t character{0};  ///< of Kind::Character

    bool is(char c) const noexcept { return kind == Kind::Character && character == static_cast<char32_t>(c); }
};

/// Ctrl with a letter, as a terminal sends it.
constexpr char with_control(char letter) noexcept
{
    return static_cast<char>(static_cast<unsigned char>(letter) & 0x1FU);
}

/// A line of text that is being typed. Its cursor is at the end.
class TypedText {
public:
    explicit TypedText(std::string text = {}) : text_{std::move(text)} {}
    const std::string& text() const noexcept { return text_; }
    /// Takes characters, Backspace and Ctrl-U; false for any other key.
    bool press(const Key& key);

private:
    std::string text_;
};

}  // namespace banger::cli::tui
