// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ssh/include_line.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace banger::cli {
namespace {

constexpr std::string_view line = "Include \"/home/u/.config/banger/ssh_config\"";

const std::string& own_line()
{
    static const std::string text = std::string{line} + "\n";
    return text;
}

TEST(IncludeLine, GoesBeforeEverythingElse)
{
    EXPECT_EQ(with_include("", line), own_line());
    EXPECT_EQ(with_include("Host x\n  User y\n", line), own_line() + "Host x\n  User y\n");
    EXPECT_EQ(with_include("User y", line), own_line() + "User y");
}

TEST(IncludeLine, IsPutInOnce)
{
    const auto once = with_include("Host x\n", line);
    EXPECT_EQ(with_include(once, line), once);
    const auto below = "# mine\nUser u\n  " + own_line() + "Host x\n";
    EXPECT_EQ(with_include(below, line), below) << "in force there, too";
}

TEST(IncludeLine, IsTakenOutOfABlockWhereItHoldsForThatAlone)
{
    for (const auto* block : {"Host x\n", "host = x\n", "\tMATCH all\n", "Host\tx\n"}) {
        EXPECT_EQ(with_include(block + own_line() + "User u\n", line), own_line() + block + "User u\n");
    }
    EXPECT_EQ(with_include("HostName x\n" + own_line(), line), "HostName x\n" + own_line()) << "that is no block";
}

TEST(IncludeLine, EndsAsTheFilesLinesDo)
{
    const std::string text = "Host x\r\n  User y\r\n";
    EXPECT_EQ(with_include(text, line), std::string{line} + "\r\n" + text);
    EXPECT_EQ(without_include(with_include(text, line), line), text);
    EXPECT_EQ(with_include(with_include(text, line), line), with_include(text, line));
}

TEST(IncludeLine, ALineThatOnlyLooksAlikeStays)
{
    for (const std::string& text :
         std::vector<std::string>{std::string{line} + "x\n", "#" + own_line(),
                                  "Include /home/u/.config/banger/ssh_config\n", own_line().substr(1)}) {
        EXPECT_EQ(without_include(text, line), text);
        EXPECT_EQ(with_include(text, line), own_line() + text);
    }
}

/// Files of all sorts of pieces: the same bytes are there after a line was put in and taken out.
TEST(IncludeLine, TakenOutItLeavesEachByteAsItWas)
{
    const std::array<std::string, 16> pieces{"Host x\n",
                                             "\n",
                                             "\r\n",
                                             "  User y\n",
                                             "no newline",
                                             "\t",
                                             "# Include\n",
                                             "Match host *.vm\r\n",
                                             std::string(1, '\0'),
                                             "\xff\xfe",
                                             "Include other\n",
                                             "Include \"/home/u/.config/banger/ssh_config",
                                             "\"",
                                             "\r",
                                             "=",
                                             " "};
    std::mt19937 random{7};  // NOLINT: the same files each time
    int changed = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (auto left = random() % 9; left > 0; --left) {
            text += pieces[random() % pieces.size()];
        }
        const auto with = with_include(text, line);
        const auto clean = without_include(text, line);
        ASSERT_EQ(without_include(with, line), clean) << text;
        ASSERT_EQ(with_include(with, line), with) << text;
        ASSERT_EQ(without_include(clean, line), clean) << text;
        ASSERT_NE(with.find(line), std::string::npos);
        changed += clean == text ? 1 : 0;
    }
    EXPECT_GT(changed, 15'000) << "most had no such line, so that the very same bytes came back";
}

}  // namespace
}  // namespace banger::cli
