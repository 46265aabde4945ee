// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/escape.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

TEST(Escaped, LeavesWordsOfAllLanguagesAlone)
{
    for (const auto* text : {"", "calm-otter", "Straße", "日本語", "emoji 🦦"}) {
        EXPECT_EQ(escaped(text), text);
    }
}

TEST(Escaped, ShowsWhatWouldDriveATerminal)
{
    EXPECT_EQ(escaped("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
    EXPECT_EQ(escaped("a\rb\x7f"), "a\\x0db\\x7f");
    EXPECT_EQ(escaped("\xc2\x9b"
                      "31m"),
              "\\xc2\\x9b31m")
        << "CSI of C1 as UTF-8";
    EXPECT_EQ(escaped("\x9b"
                      "31m"),
              "\\x9b31m")
        << "and as a byte";
    EXPECT_EQ(escaped("\xe2\x80\xae"
                      "txt.exe"),
              "\\xe2\\x80\\xaetxt.exe")
        << "right-to-left override";
}

TEST(Escaped, ShowsBytesThatAreNotUtf8)
{
    EXPECT_EQ(escaped("\xff\xfe"), "\\xff\\xfe");
    EXPECT_EQ(escaped("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
    EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
    EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
    EXPECT_EQ(escaped("cut\xe6\x97"), "cut\\xe6\\x97");
}

TEST(Escaped, ShowsWhatIsNoCharacter)
{
    EXPECT_EQ(escaped("a\xef\xbf\xbf"), "a\\xef\\xbf\\xbf");
    EXPECT_EQ(escaped("\xef\xb7\x90"), "\\xef\\xb7\\x90");
}

TEST(Escaped, KeepsLinesOnlyWhenAsked)
{
    EXPECT_EQ(escaped("a\tb\n"), "a\\x09b\\x0a");
    EXPECT_EQ(escaped("a\tb\n", KeepLines::Yes), "a\tb\n");
}

TEST(StreamEscaper, WaitsForTheRestOfACharacter)
{
    StreamEscaper escaper;
    EXPECT_EQ(escaper.feed("a\xe6\x97"), "a");
    EXPECT_EQ(escaper.feed("\xa5"
                           "b"),
              "日b");
    EXPECT_EQ(escaper.finish(), "");
}

TEST(StreamEscaper, ShowsAnUnfinishedCharacterAtTheEnd)
{
    StreamEscaper escaper;
    EXPECT_EQ(escaper.feed("\xe6"), "");
    EXPECT_EQ(escaper.finish(), "\\xe6");
}

TEST(StreamEscaper, TakesTheReturnFromASerialConsolesLines)
{
    StreamEscaper escaper;
    EXPECT_EQ(escaper.feed("one\r\ntwo\r"), "one\ntwo");
    EXPECT_EQ(escaper.feed("\nthree\rfour"), "\nthree\\x0dfour");
}

}  // namespace
}  // namespace banger::cli
