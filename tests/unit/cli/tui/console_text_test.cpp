// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/console_text.hpp"

#include <gtest/gtest.h>

#include <random>

namespace banger::cli::tui {
namespace {

using Lines = std::deque<std::string>;

Lines lines_of(std::string_view bytes, std::size_t piece = SIZE_MAX)
{
    ConsoleText text;
    while (!bytes.empty()) {
        const auto part = bytes.substr(0, piece);
        text.feed(part);
        bytes.remove_prefix(part.size());
    }
    return text.lines();
}

TEST(ConsoleText, TakesTheLinesOfASerialConsole)
{
    EXPECT_EQ(lines_of("one\r\ntwo\r\n"), (Lines{"one", "two", ""}));
    EXPECT_EQ(lines_of("one\ntw"), (Lines{"one", "tw"}));
}

TEST(ConsoleText, LeavesEscapeSequencesOut)
{
    EXPECT_EQ(lines_of("[\x1b[0;32m  OK  \x1b[0m] Started"), (Lines{"[  OK  ] Started"}));
    EXPECT_EQ(lines_of("\x1b]0;root@web: ~\x07# ls"), (Lines{"# ls"}));
    EXPECT_EQ(lines_of("\x1b]8;;http://x\x1b\\link"), (Lines{"link"})) << "ended by ST";
    EXPECT_EQ(lines_of("\x1b(B\x1b=\x1b#8x"), (Lines{"x"}));
    EXPECT_EQ(lines_of("\x1bP1;2q#\x1b\\x"), (Lines{"x"})) << "a device control string";
}

TEST(ConsoleText, ASequenceThatDoesNotEndSwallowsNoOtherLine)
{
    EXPECT_EQ(lines_of("\x1b]0;never ended\nafter"), (Lines{"", "after"}));
    EXPECT_EQ(lines_of("\x1b[1;2;3\nafter"), (Lines{"", "after"}));
    EXPECT_EQ(lines_of("\x1b]0;" + std::string(5000, 'x') + "y").back().back(), 'y');
}

TEST(ConsoleText, AReturnBeginsTheLineAgain)
{
    EXPECT_EQ(lines_of("10%\r20%\r100%\n"), (Lines{"100%", ""}));
    EXPECT_EQ(lines_of("whole\r\n"), (Lines{"whole", ""})) << "but not before a new line";
}

TEST(ConsoleText, TabsAndBackspacesAreAsOnATerminal)
{
    EXPECT_EQ(lines_of("a\tb"), (Lines{"a       b"}));
    EXPECT_EQ(lines_of("12345678\tb"), (Lines{"12345678        b"}));
    EXPECT_EQ(lines_of("ab\bc\b\b\b\bd"), (Lines{"d"}));
    EXPECT_EQ(lines_of("a\x01\x02"
                       "b\x7f"),
              (Lines{"ab"}));
}

TEST(ConsoleText, WhereItIsCutMakesNoDifference)
{
    const std::string bytes = "a\x1b[31mred\x1b[0m\r\n\x1b]0;t\x1b\\b\tc\r\xe6\x97\xa5\n\x1b(Bend";
    const auto whole = lines_of(bytes);
    for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
        EXPECT_EQ(lines_of(bytes, piece), whole) << piece;
    }
}

TEST(ConsoleText, KeepsTheLastLinesAndOfEachItsBeginning)
{
    ConsoleText text{10};
    for (int number = 0; number < 1000; ++number) {
        text.feed(std::to_string(number) + "\n");
    }
    EXPECT_EQ(text.lines().size(), 10U);
    EXPECT_EQ(text.lines().front(), "991");
    text.feed(std::string(1 << 20, 'x'));
    EXPECT_LE(text.lines().back().size(), 4096U);
}

TEST(ConsoleText, NoGarbageGrowsItOrLeavesAControlCharacterInIt)
{
    std::mt19937 random{7};
    ConsoleText text{20};
    for (int round = 0; round < 200; ++round) {
        std::string bytes(1000, '\0');
        for (char& c : bytes) {
            c = static_cast<char>(random());
        }
        text.feed(bytes);
        ASSERT_LE(text.lines().size(), 20U);
        for (const auto& line : text.lines()) {
            ASSERT_LE(line.size(), 4096U);
            for (const char c : line) {
                ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20U || c == '\x7f');
            }
        }
    }
}

}  // namespace
}  // namespace banger::cli::tui
