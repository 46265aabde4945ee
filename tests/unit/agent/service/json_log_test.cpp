// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/json_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using json_log::Level;
using ::testing::MatchesRegex;

class JsonLogTest : public ::testing::Test {
protected:
    JsonLogTest() { json_log::open(file); }
    std::vector<nlohmann::json> lines() const
    {
        std::vector<nlohmann::json> list;
        std::ifstream stream{file};
        for (std::string line; std::getline(stream, line);) {
            list.push_back(nlohmann::json::parse(line, nullptr, false));
            EXPECT_TRUE(list.back().is_object()) << line;
        }
        return list;
    }

    test::TemporaryFolder folder;
    std::filesystem::path file{folder.path / "bangerd.log"};
};

TEST_F(JsonLogTest, ALineSaysWhenHowBadAndWhat)
{
    json_log::write(Level::Warn, "went on", "calm-otter", "op7");
    json_log::write(Level::Error, "stopped");
    const auto list = lines();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0]["level"], "warn");
    EXPECT_EQ(list[0]["message"], "went on");
    EXPECT_EQ(list[0]["vm"], "calm-otter");
    EXPECT_EQ(list[0]["operation"], "op7");
    EXPECT_THAT(list[0]["time"].get<std::string>(),
                MatchesRegex("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9:]+\\.[0-9][0-9][0-9]Z"));
    EXPECT_EQ(list[1]["level"], "error");
    EXPECT_FALSE(list[1].contains("vm"));
    EXPECT_FALSE(list[1].contains("operation"));
}

TEST_F(JsonLogTest, HostileTextStaysOneLineOfJson)
{
    const std::vector<std::string> texts{"two\nlines\r\n",
                                         "quote \" and \\",
                                         "escape \x1b[2J",
                                         "{} {0} %s %n %v",
                                         std::string{"nul \0 in it", 11},
                                         "\xff\xfe\xc0\xaf",
                                         R"("},{"level":"error","message":"forged)",
                                         std::string(200'000, 'x')};
    for (const auto& text : texts) {
        json_log::write(Level::Info, text, text, text);
    }
    const auto list = lines();
    ASSERT_EQ(list.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(list[i]["level"], "info");
        if (i != 5) {
            EXPECT_EQ(list[i]["message"], texts[i]);
            EXPECT_EQ(list[i]["vm"], texts[i]);
        }
    }
}

TEST_F(JsonLogTest, WhatIsBelowTheLevelIsNotWritten)
{
    json_log::write(Level::Debug, "no");
    json_log::set_level("error");
    json_log::write(Level::Warn, "no");
    json_log::write(Level::Error, "yes");
    json_log::set_level("debug");
    json_log::write(Level::Debug, "yes");
    json_log::set_level("info");
    const auto list = lines();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0]["message"], "yes");
    EXPECT_EQ(list[1]["message"], "yes");
}

TEST_F(JsonLogTest, LinesOfSeveralThreadsDoNotMix)
{
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([] {
                for (int line = 0; line < 250; ++line) {
                    json_log::write(Level::Info, std::string(500, 'x'));
                }
            });
        }
    }
    EXPECT_EQ(lines().size(), 1000U);
}

TEST_F(JsonLogTest, ItIsAppendedToAndDoesNotGrowForEver)
{
    json_log::write(Level::Info, "first");
    json_log::open(file);
    json_log::write(Level::Info, "second");
    EXPECT_EQ(lines().size(), 2U);
    const std::string large(1'000'000, 'x');
    for (int i = 0; i < 30; ++i) {
        json_log::write(Level::Info, large);
    }
    std::uintmax_t total = 0;
    for (const auto& entry : std::filesystem::directory_iterator{folder.path}) {
        total += entry.file_size();
    }
    EXPECT_LT(total, 20'000'000U);
    EXPECT_FALSE(lines().empty());
}

TEST_F(JsonLogTest, AFileThatCanNotBeWrittenIsAnErrorThatNamesIt)
{
    std::filesystem::create_directory(folder.path / "folder.log");
    try {
        json_log::open(folder.path / "folder.log");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Failed);
        EXPECT_THAT(error.what(), ::testing::HasSubstr("folder.log"));
    }
    json_log::write(Level::Info, "the older log goes on");
    EXPECT_EQ(lines().size(), 1U);
}

}  // namespace
}  // namespace banger::agent
