// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/text.hpp"

#include <gtest/gtest.h>

namespace banger {
namespace {

TEST(TextTest, ShownTextIsShortAndPrintable)
{
    EXPECT_EQ(shown("debian ~!"), "debian ~!");
    EXPECT_EQ(shown("a\x1b[31m\nb\x7f\xc3\xa9"), "a?[31m?b???");
    EXPECT_EQ(shown(std::string(65, 'x')), std::string(64, 'x'));
    EXPECT_EQ(shown(std::string(3, '\0')), "???");
    EXPECT_EQ(shown(""), "");
}

TEST(TextTest, AWordOfAShellsIsOneWhateverIsInIt)
{
    EXPECT_EQ(shell_word("/usr/bin/banger"), "'/usr/bin/banger'");
    EXPECT_EQ(shell_word("/a b/$HOME;`x`"), "'/a b/$HOME;`x`'");
    EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_word("a\\"), "'a'\\\\''") << "in fish 'a\\' has no end, and what comes behind is a command";
    EXPECT_EQ(shell_word("a\\\\n"), "'a'\\\\''\\\\'n'");
}

TEST(TextTest, Utf8StaysAsItIs)
{
    for (const auto* text :
         {"", "plain\n\t", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd",
          "\xef\xb7\x8f", "\xef\xb7\xb0", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbd", "\x7f"}) {
        EXPECT_EQ(to_utf8(text), text);
    }
}

TEST(TextTest, WhatIsNoUtf8BecomesAQuestionMarkByteByByte)
{
    EXPECT_EQ(to_utf8(std::string_view{"a\0b", 3}), "a?b");
    EXPECT_EQ(to_utf8("\x80"), "?");                 // a tail alone
    EXPECT_EQ(to_utf8("\xc0\xaf"), "??");            // overlong
    EXPECT_EQ(to_utf8("\xc1\xbf"), "??");            // overlong
    EXPECT_EQ(to_utf8("\xe0\x9f\xbf"), "???");       // overlong
    EXPECT_EQ(to_utf8("\xf0\x8f\xbf\xbf"), "????");  // overlong
    EXPECT_EQ(to_utf8("\xed\xa0\x80"), "???");       // a surrogate
    EXPECT_EQ(to_utf8("\xf4\x90\x80\x80"), "????");  // above U+10FFFF
    EXPECT_EQ(to_utf8("\xf5\x80\x80\x80"), "????");  // no lead
    EXPECT_EQ(to_utf8("\xff\xfe"), "??");
}

TEST(TextTest, WhatIsNoCharacterIsNotForTheBus)
{
    for (const auto* text : {"\xef\xbf\xbe", "\xef\xbf\xbf", "\xef\xb7\x90", "\xef\xb7\xaf"}) {
        EXPECT_EQ(to_utf8(text), "???");
    }
    for (const auto* text : {"\xf0\x9f\xbf\xbe", "\xf0\x9f\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_EQ(to_utf8(text), "????");
    }
}

TEST(TextTest, ASequenceThatIsCutOffTakesNothingOfWhatFollows)
{
    EXPECT_EQ(to_utf8("\xe2\x82"), "??");
    EXPECT_EQ(to_utf8("\xe2\x82x"), "??x");
    EXPECT_EQ(to_utf8("\xf0\x9f\x98"), "???");
    EXPECT_EQ(to_utf8("\xc3\xc3\xa9"), "?\xc3\xa9");
}

}  // namespace
}  // namespace banger
