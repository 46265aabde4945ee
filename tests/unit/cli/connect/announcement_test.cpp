// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/announcement.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace banger::cli {
namespace {

constexpr auto told = R"({"address":"unix:path=/run/bus","name":":1.7","pid":42,"host":"here","version":"1",
    "folders":["/h/.local/state/banger","/h/.cache/banger","/h/.config/banger/config.toml"],
    "environment":{"BANGER_LOG_LEVEL":"debug","BANGER_RUNTIME_DIR":""}})";

class AnnouncementTest : public ::testing::Test {
protected:
    AnnouncementTest()
    {
        paths.state = "/h/.local/state/banger";
        paths.cache = "/h/.cache/banger";
        paths.config = "/h/.config/banger/config.toml";
    }

    Announcement announcement{parse_announcement(told).value()};
    Paths paths;
};

TEST_F(AnnouncementTest, SaysWhereAndWhoBangerdIs)
{
    EXPECT_EQ(announcement.address, "unix:path=/run/bus");
    EXPECT_EQ(announcement.name, ":1.7");
    EXPECT_EQ(announcement.pid, 42);
}

TEST_F(AnnouncementTest, ACallerWithNothingOfItsOwnHasNothingToTell)
{
    EXPECT_TRUE(agrees(announcement, paths, {}));
    EXPECT_TRUE(agrees(announcement, paths, {{"HOME", "/h"}, {"BANGER_VCPU", "3"}, {"BANGER_RUNTIME_DIR", ""}}))
        << "those of a request go with the request";
    EXPECT_TRUE(agrees(announcement, paths, {{"BANGER_LOG_LEVEL", "debug"}}));
}

TEST_F(AnnouncementTest, AnotherValueOrAFolderOfAnotherNameIsTold)
{
    EXPECT_FALSE(agrees(announcement, paths, {{"BANGER_LOG_LEVEL", "info"}}));
    EXPECT_FALSE(agrees(announcement, paths, {{"BANGER_RUNTIME_DIR", "/b"}}));
    for (auto* folder : {&paths.state, &paths.cache, &paths.config}) {
        const auto before = std::exchange(*folder, "/elsewhere");
        EXPECT_FALSE(agrees(announcement, paths, {}));
        *folder = before;
    }
    EXPECT_TRUE(agrees(announcement, paths, {}));
}

TEST_F(AnnouncementTest, OneOfAnOlderBangerdIsNeverTakenForAnAgreement)
{
    const auto older = parse_announcement(R"({"address":"unix:path=/run/bus","pid":42,"version":"1"})");
    ASSERT_TRUE(older);
    EXPECT_FALSE(agrees(*older, paths, {}));
}

TEST(AnnouncementText, ThatIsDamagedIsNone)
{
    for (const auto* text : {"", "{", "[]", "7", R"({"pid":1})", R"({"address":7})"}) {
        EXPECT_FALSE(parse_announcement(text)) << text;
    }
    const auto odd =
        parse_announcement(R"({"address":"a","pid":"x","folders":[1,{}],"environment":{"A":[]},"name":null})");
    ASSERT_TRUE(odd);
    EXPECT_EQ(odd->environment.at("A"), "");
    EXPECT_EQ(odd->folders.size(), 2U);
}

}  // namespace
}  // namespace banger::cli
