// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/image_news.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace banger::agent::test {
namespace {

using std::chrono::seconds;

class ImageNewsTest : public ::testing::Test {
protected:
    std::optional<Notice> after(const std::string& kind, seconds time, std::optional<ErrorCode> failure = std::nullopt)
    {
        Operation operation{++number, kind, "web"};
        EXPECT_FALSE(news.look(operation, now));
        now += time;
        operation.end(failure ? std::make_exception_ptr(Error{*failure, "the mirror is <gone>"}) : nullptr);
        return news.look(operation, now);
    }

    ImageNews news;
    ImageNews::Time now{seconds{1'000}};
    std::uint64_t number{0};
};

TEST_F(ImageNewsTest, AnImageThatTookLongIsToldWithANewSandboxOfIt)
{
    const auto built = after("build-image", ImageNews::long_wait);
    ASSERT_TRUE(built);
    EXPECT_EQ(built->title, "The image web is built");
    EXPECT_EQ(built->action, NoticeAction::NewSandbox);
    EXPECT_EQ(built->subject, "web");
    const auto pulled = after("pull-image", seconds{3'600});
    ASSERT_TRUE(pulled);
    EXPECT_EQ(pulled->title, "The image web is pulled");
    EXPECT_EQ(pulled->key, built->key) << "the newer one takes the older one's place";
}

TEST_F(ImageNewsTest, WhoeverWaitedShortlyIsStillThere)
{
    EXPECT_FALSE(after("build-image", ImageNews::long_wait - seconds{1}));
}

TEST_F(ImageNewsTest, OneThatFailsAfterALongWaitIsToldAndACancelledOneIsNot)
{
    const auto failed = after("pull-image", seconds{60}, ErrorCode::Unavailable);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->title, "The image web could not be pulled");
    EXPECT_EQ(failed->body, "the mirror is <gone>");
    EXPECT_FALSE(after("pull-image", seconds{60}, ErrorCode::Cancelled));
}

TEST_F(ImageNewsTest, OtherOperationsAreNone)
{
    EXPECT_FALSE(after("start", seconds{60}));
    EXPECT_FALSE(after("import-kernel", seconds{60}));
}

TEST_F(ImageNewsTest, OneWhoseBeginNobodySawIsNone)
{
    Operation operation{1, "build-image", "web"};
    operation.end(nullptr);
    EXPECT_FALSE(news.look(operation, now));
}

}  // namespace
}  // namespace banger::agent::test
