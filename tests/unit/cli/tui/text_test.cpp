// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/text.hpp"

#include "tests/unit/cli/tui/utf8.hpp"

namespace banger::cli::tui {
namespace {

using TextTest = Utf8Test;

TEST_F(TextTest, WordsOfAllLanguagesAreLeftAlone)
{
    for (const auto* text : {"", "calm-otter", "Straße", "日本語", "e\u0301t\u00e9"}) {
        EXPECT_EQ(harmless(text, Charset::Utf8), text);
    }
}

TEST_F(TextTest, WhatWouldDriveATerminalIsShown)
{
    EXPECT_EQ(harmless("\x1b[2J\x07", Charset::Utf8), "\\x1b[2J\\x07");
    EXPECT_EQ(harmless("a\nb\rc\td", Charset::Utf8), "a\\x0ab\\x0dc\\x09d");
    EXPECT_EQ(harmless("\xff\xc3", Charset::Utf8), "\\xff\\xc3");
    EXPECT_EQ(harmless("\u202etxt", Charset::Utf8), "\\xe2\\x80\\xaetxt") << "right-to-left override";
    EXPECT_EQ(harmless(std::string_view{"a\0b", 3}, Charset::Utf8), "a\\x00b");
}

TEST_F(TextTest, WhatHasNoColumnOfItsOwnIsAQuestionMark)
{
    EXPECT_EQ(harmless("\u0301x", Charset::Utf8), "?x") << "a combining character with nothing to combine with";
    EXPECT_EQ(columns_of(harmless("\u200b", Charset::Utf8), Charset::Utf8), 1U) << "a blank of no width";
}

TEST_F(TextTest, ALetterKeepsTwoCombiningCharactersAndNoMore)
{
    std::string tower = "a";
    for (int i = 0; i < 50; ++i) {
        tower += "\u0301";
    }
    EXPECT_EQ(harmless(tower + "b", Charset::Utf8), "a\u0301\u0301b");
    EXPECT_EQ(columns_of(harmless(tower, Charset::Utf8), Charset::Utf8), 1U);
}

TEST_F(TextTest, InAsciiNothingElseIsShown)
{
    EXPECT_EQ(harmless("Straße 日本", Charset::Ascii), "Stra?e ??");
    EXPECT_EQ(harmless("e\u0301", Charset::Ascii), "e?");
    EXPECT_EQ(fitted("calm-otter", 6, Charset::Ascii), "calm-~");
}

TEST_F(TextTest, AWideCharacterTakesTwoColumns)
{
    EXPECT_EQ(columns_of("日本x", Charset::Utf8), 5U);
    EXPECT_EQ(first_drawn("日本", Charset::Utf8).columns, 2U);
}

TEST_F(TextTest, AFittedTextHasItsWidthWhateverIsInIt)
{
    EXPECT_EQ(fitted("ab", 4, Charset::Utf8), "ab  ");
    EXPECT_EQ(fitted("ab", 4, Charset::Utf8, Align::Right), "  ab");
    EXPECT_EQ(fitted("abcdef", 4, Charset::Utf8), "abc…");
    EXPECT_EQ(fitted("日本語", 4, Charset::Utf8), "日… ") << "half a character is none";
    EXPECT_EQ(fitted("abc", 0, Charset::Utf8), "");
    for (std::size_t width = 0; width < 12; ++width) {
        for (const auto* text : {"", "x", "日本語日本語", "e\u0301e\u0301e\u0301", "long enough to be cut"}) {
            EXPECT_EQ(columns_of(fitted(text, width, Charset::Utf8), Charset::Utf8), width) << text;
        }
    }
}

}  // namespace
}  // namespace banger::cli::tui
