// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/log_tail.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

class LogTailTest : public ::testing::Test {
protected:
    void write(const std::string& text) { std::ofstream{log, std::ios::binary | std::ios::trunc} << text; }
    std::size_t size_of(const std::filesystem::path& file)
    {
        std::error_code none;
        const auto size = std::filesystem::file_size(file, none);
        return none ? 0 : static_cast<std::size_t>(size);
    }

    test::TemporaryFolder folder;
    std::filesystem::path log{folder.path / "console.log"};
    std::filesystem::path older{folder.path / "console.log.1"};
};

TEST_F(LogTailTest, AMissingOrEmptyLogHasNoTail)
{
    EXPECT_EQ(tail_of_log(log), "");
    write("");
    EXPECT_EQ(tail_of_log(log), "");
    write("\n\n\n");
    EXPECT_EQ(tail_of_log(log), "");
}

TEST_F(LogTailTest, AShortLogIsShownWhole)
{
    write("first\r\nsecond\r\n");
    EXPECT_EQ(tail_of_log(log), "first\nsecond");
}

TEST_F(LogTailTest, OfALongLogTheLastWholeLinesAreShown)
{
    std::string text;
    for (int i = 0; i < 1000; ++i) {
        text += "line " + std::to_string(i) + "\n";
    }
    write(text);
    const auto tail = tail_of_log(log);
    EXPECT_LE(tail.size(), 1024U);
    EXPECT_TRUE(tail.ends_with("line 999"));
    EXPECT_TRUE(tail.starts_with("line 88")) << tail.substr(0, 20);
}

TEST_F(LogTailTest, OneEndlessLineIsCut)
{
    write(std::string(100'000, 'x'));
    EXPECT_LE(tail_of_log(log).size(), 1024U);
    EXPECT_FALSE(tail_of_log(log).empty());
}

TEST_F(LogTailTest, WhatATerminalOrTheBusWouldTakeAmissIsShownAsQuestionMarks)
{
    write("a\x1b[31mred\x07 \xff\xfe \xc3\xa4 tab\there\x7f");
    EXPECT_EQ(tail_of_log(log), "a?[31mred? ?? \xc3\xa4 tab\there?");
    write("\xc2\x9b 31m \xc2\xa0 \xc2");
    EXPECT_EQ(tail_of_log(log), "? 31m \xc2\xa0 ?");
}

TEST_F(LogTailTest, OnlyALargeLogIsRotated)
{
    write("small");
    rotate_log(log);
    EXPECT_EQ(size_of(log), 5U);
    EXPECT_FALSE(std::filesystem::exists(older));
    write(std::string((1U << 20U) + 1, 'x'));
    rotate_log(log);
    EXPECT_FALSE(std::filesystem::exists(log));
    EXPECT_EQ(size_of(older), (1U << 20U) + 1);
    rotate_log(log);  // none there
}

TEST_F(LogTailTest, ALargeLogThatIsHeldOpenIsEmptiedAndItsWriterGoesOnAtItsEnd)
{
    write(std::string((8U << 20U) + 1, 'x'));
    std::ofstream holder{log, std::ios::app};
    truncate_log(log);
    EXPECT_EQ(size_of(log), 0U);
    EXPECT_EQ(size_of(older), 8U << 20U) << "its end";
    holder << "more" << std::flush;
    EXPECT_EQ(tail_of_log(log), "more");
    truncate_log(log);
    EXPECT_EQ(tail_of_log(log), "more") << "a small one stays";
}

}  // namespace
}  // namespace banger::agent
