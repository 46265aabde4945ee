// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/key.hpp"

#include <gtest/gtest.h>

namespace banger::cli::tui {
namespace {

void type(TypedText& text, std::u32string_view characters)
{
    for (const char32_t character : characters) {
        EXPECT_TRUE(text.press({Key::Kind::Character, character}));
    }
}

TEST(TypedText, TakesCharactersOfAllLanguagesAsUtf8)
{
    TypedText text;
    type(text, U"aß日🦦");
    EXPECT_EQ(text.text(), "aß日🦦");
    for (const auto* left : {"aß日", "aß", "a", "", ""}) {
        EXPECT_TRUE(text.press({Key::Kind::Backspace}));
        EXPECT_EQ(text.text(), left);
    }
}

TEST(TypedText, LeavesOtherKeysToOthers)
{
    TypedText text{"web"};
    for (const auto kind : {Key::Kind::Up, Key::Kind::Tab, Key::Kind::Enter, Key::Kind::Escape, Key::Kind::Other}) {
        EXPECT_FALSE(text.press({kind}));
    }
    EXPECT_FALSE(text.press({Key::Kind::Character, U'\x01'}));
    EXPECT_FALSE(text.press({Key::Kind::Character, U'\u009b'}));
    EXPECT_FALSE(text.press({Key::Kind::Character, static_cast<char32_t>(0xD800)}));
    EXPECT_EQ(text.text(), "web");
    EXPECT_TRUE(text.press({Key::Kind::Character, static_cast<char32_t>(with_control('u'))}));
    EXPECT_EQ(text.text(), "");
}

TEST(TypedText, HasAnEnd)
{
    TypedText text;
    type(text, std::u32string(5000, U'x'));
    EXPECT_EQ(text.text().size(), 512U);
}

}  // namespace
}  // namespace banger::cli::tui
