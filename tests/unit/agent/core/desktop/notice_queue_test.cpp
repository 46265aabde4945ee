// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/notice_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace banger::agent::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Notice notice_about(const std::string& name)
{
    return {.key = "vm:" + name, .title = name + " has ended", .about = name};
}

class NoticeQueueTest : public ::testing::Test {
protected:
    std::string next()
    {
        const auto notice = queue.next(now);
        return notice ? notice->title + (notice->body.empty() ? "" : ": " + notice->body) : "";
    }
    void use_up()
    {
        for (std::size_t i = 0; i < NoticeQueue::burst; ++i) {
            queue.add(notice_about("early"));
            ASSERT_EQ(next(), "early has ended");
        }
    }

    NoticeQueue queue;
    NoticeQueue::Time now{seconds{1'000}};
};

TEST_F(NoticeQueueTest, AFewAreShownAtOnceInTheirOrder)
{
    queue.add(notice_about("web"));
    queue.add(notice_about("db"));
    EXPECT_EQ(queue.wait(now), milliseconds{0});
    EXPECT_EQ(next(), "web has ended");
    EXPECT_EQ(next(), "db has ended");
    EXPECT_EQ(next(), "");
    EXPECT_EQ(queue.wait(now), std::nullopt);
}

TEST_F(NoticeQueueTest, AFloodIsThreeMessagesAndASum)
{
    for (int i = 0; i < 1'000; ++i) {
        queue.add(notice_about("vm" + std::to_string(i)));
    }
    EXPECT_EQ(next(), "vm0 has ended");
    EXPECT_EQ(next(), "vm1 has ended");
    EXPECT_EQ(next(), "vm2 has ended");
    EXPECT_EQ(next(), "997 more messages from banger: About vm3, vm4, vm5 and 994 more");
    EXPECT_EQ(next(), "");
    EXPECT_EQ(queue.wait(now), std::nullopt) << "the sum stands for all of them";
}

TEST_F(NoticeQueueTest, ATokenComesWithEachIntervalAndNoMoreThanTheBurst)
{
    use_up();
    queue.add(notice_about("web"));
    EXPECT_EQ(next(), "");
    EXPECT_EQ(queue.wait(now), milliseconds{NoticeQueue::interval});
    now += NoticeQueue::interval - milliseconds{1};
    EXPECT_EQ(next(), "");
    EXPECT_EQ(queue.wait(now), milliseconds{1});
    now += milliseconds{1};
    EXPECT_EQ(next(), "web has ended");
    now += 1'000 * NoticeQueue::interval;
    use_up();
    queue.add(notice_about("web"));
    EXPECT_EQ(next(), "");
}

TEST_F(NoticeQueueTest, WhatCameWithoutATokenIsSummedUpByTheNextOne)
{
    use_up();
    queue.add(notice_about("web"));
    queue.add(notice_about("db"));
    now += NoticeQueue::interval;
    EXPECT_EQ(next(), "2 more messages from banger: About web, db");
    EXPECT_EQ(next(), "");
}

TEST_F(NoticeQueueTest, ANewerOneOfTheSameKeyTakesThePlaceOfOneThatWaits)
{
    queue.add(notice_about("web"));
    auto newer = notice_about("web");
    newer.title = "web did not start";
    queue.add(newer);
    EXPECT_EQ(next(), "web did not start");
    EXPECT_EQ(next(), "");
}

TEST_F(NoticeQueueTest, OneThatNobodyNeedKnowAnyMoreIsLeftOut)
{
    queue.add(notice_about("web"));
    queue.withdraw("vm:web");
    queue.withdraw("vm:other");
    EXPECT_EQ(next(), "");
    for (std::size_t i = 0; i <= NoticeQueue::most_kept; ++i) {
        queue.add(notice_about("vm" + std::to_string(i)));
    }
    for (std::size_t i = 0; i < NoticeQueue::most_kept; ++i) {
        queue.withdraw("vm:vm" + std::to_string(i));
    }
    EXPECT_EQ(next(), "1 more message from banger: About 1 more") << "who it is about is not kept";
}

TEST_F(NoticeQueueTest, AClearedQueueHasNothing)
{
    for (std::size_t i = 0; i < 2 * NoticeQueue::most_kept; ++i) {
        queue.add(notice_about("vm" + std::to_string(i)));
    }
    queue.clear();
    EXPECT_EQ(next(), "");
}

}  // namespace
}  // namespace banger::agent::test
