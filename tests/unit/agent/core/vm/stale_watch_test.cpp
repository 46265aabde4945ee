// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/stale_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StaleWatchTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_TRUE(bangerd.create("calm-otter").ok());
        ASSERT_TRUE(bangerd.create("idle").ok());
        ASSERT_TRUE(bangerd.create("stopped", AfterCreate::Leave).ok());
    }
    void unused_for(const std::string& name, milliseconds time)
    {
        bangerd.link(name).used = steady_clock::now() - time;
    }

    World world;
    Bangerd bangerd{world};
    std::vector<std::string> stopped;
    StaleWatch watch{
        bangerd.loop,
        {[this] { return bangerd.manager->list(); }, [this](const VmPtr& vm) { stopped.push_back(vm->name()); }}};
};

TEST_F(StaleWatchTest, EndsWhatNobodyUsedForSoLongAndNothingElse)
{
    unused_for("idle", hours{2});
    unused_for("calm-otter", milliseconds{0});
    watch.set_limit(hours{1});
    EXPECT_THAT(stopped, ElementsAre("idle"));
}

TEST_F(StaleWatchTest, AGuestThatSaysGoodbyeAndGoesOnEnds)
{
    bangerd.link("idle").say_goodbye(GuestGoodbye::PowerOff);
    bangerd.settle();
    ASSERT_FALSE(bangerd.vm("idle")->ready());
    unused_for("idle", hours{2});
    unused_for("calm-otter", milliseconds{0});
    watch.set_limit(hours{1});
    EXPECT_THAT(stopped, ElementsAre("idle"));
}

TEST_F(StaleWatchTest, WithoutALimitNothingEnds)
{
    unused_for("idle", hours{1000});
    watch.set_limit(milliseconds{0});
    watch.notice(bangerd.vm("idle"));
    EXPECT_THAT(stopped, IsEmpty());
}

TEST_F(StaleWatchTest, WakesWhenTheFirstIsDueAndLooksAgainAtWhatWasUsedMeanwhile)
{
    unused_for("idle", milliseconds{0});
    unused_for("calm-otter", milliseconds{0});
    watch.set_limit(milliseconds{150});
    bangerd.drive([] { return false; }, milliseconds{100});
    EXPECT_THAT(stopped, IsEmpty());
    const auto used = steady_clock::now();
    bangerd.link("calm-otter").used = used;
    ASSERT_TRUE(bangerd.drive([this] { return stopped.size() == 1; }));
    EXPECT_THAT(stopped, ElementsAre("idle"));
    bangerd.manager->kill(bangerd.vm("idle"), 9);
    ASSERT_TRUE(bangerd.drive([this] { return stopped.size() == 2; }));
    EXPECT_THAT(stopped, ElementsAre("idle", "calm-otter"));
    EXPECT_GE(steady_clock::now() - used, milliseconds{150});
}

TEST_F(StaleWatchTest, AVmThatComesLaterIsWatchedToo)
{
    bangerd.stop("idle");
    bangerd.stop("calm-otter");
    watch.set_limit(milliseconds{50});
    ASSERT_TRUE(bangerd.start("idle").ok());
    watch.notice(bangerd.vm("stopped"));
    watch.notice(bangerd.vm("idle"));
    ASSERT_TRUE(bangerd.drive([this] { return !stopped.empty(); }));
    EXPECT_THAT(stopped, ElementsAre("idle"));
}

TEST_F(StaleWatchTest, AShorterLimitHoldsAtOnce)
{
    unused_for("idle", hours{2});
    unused_for("calm-otter", milliseconds{0});
    watch.set_limit(hours{3});
    EXPECT_THAT(stopped, IsEmpty());
    watch.set_limit(hours{1});
    EXPECT_THAT(stopped, ElementsAre("idle"));
}

}  // namespace
}  // namespace banger::agent::test
