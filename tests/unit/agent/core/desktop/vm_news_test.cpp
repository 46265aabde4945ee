// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/vm_news.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/fakes/bangerd.hpp"
#include "tests/unit/agent/core/desktop/desk_world.hpp"

namespace banger::agent::test {
namespace {

using ::testing::HasSubstr;

/// Rows alone.
class VmNewsOfRowsTest : public ::testing::Test {
protected:
    std::string becomes(VmState state)
    {
        vm->record.state = state;
        return look();
    }
    std::string look()
    {
        const auto notice = news.look(*vm);
        return notice ? notice->title : "";
    }
    SandboxRow sandbox(SandboxRow::State state, ByteSize used)
    {
        return {.id = "a",
                .state = state,
                .nat = Nat::Off,
                .name = "",
                .used = used,
                .allocated = 16 * gib,
                .limit = 16 * gib};
    }

    VmPtr vm{row_of_vm("web")};
    VmNews news;
};

TEST_F(VmNewsOfRowsTest, TheFirstLookIsNoNews)
{
    vm->record.state = VmState::Failed;
    EXPECT_EQ(look(), "");
    EXPECT_EQ(look(), "");
}

TEST_F(VmNewsOfRowsTest, AStartThatFailsIsToldWithItsReasonAndALog)
{
    news.learn(*vm);
    EXPECT_EQ(becomes(VmState::Starting), "");
    vm->record.state = VmState::Failed;
    vm->record.reason = "no <b>memory</b>\x1b[2J";
    const auto notice = news.look(*vm);
    ASSERT_TRUE(notice);
    EXPECT_EQ(notice->title, "web did not start");
    EXPECT_EQ(notice->body, "no <b>memory</b>?[2J");
    EXPECT_EQ(notice->action, NoticeAction::ShowLog);
    EXPECT_EQ(notice->subject, vm->record.id.str());
    EXPECT_EQ(look(), "") << "once";
}

TEST_F(VmNewsOfRowsTest, WhatSomebodyAskedForIsNoNews)
{
    news.learn(*vm);
    for (const auto state : {VmState::Starting, VmState::Running, VmState::Stopping, VmState::Stopped,
                             VmState::Starting, VmState::Running, VmState::Deleting}) {
        EXPECT_EQ(becomes(state), "") << to_string(state);
    }
}

TEST_F(VmNewsOfRowsTest, OneThatGoesWhenItStopsIsItsMakersOwnConcern)
{
    vm->record.spec.on_stop = StopPolicy::Remove;
    vm->record.state = VmState::Running;
    news.learn(*vm);
    EXPECT_EQ(becomes(VmState::Failed), "");
}

TEST_F(VmNewsOfRowsTest, ADiskThatFillsUpIsToldOnceForEachStepOfIt)
{
    vm->record.state = VmState::Running;
    vm->sandbox_seen = sandbox(SandboxRow::State::Running, 1 * gib);
    news.learn(*vm);
    vm->sandbox_seen->used = 15 * gib;
    const auto notice = news.look(*vm);
    ASSERT_TRUE(notice);
    EXPECT_EQ(notice->title, "web has little room left");
    EXPECT_THAT(notice->body, HasSubstr("nearly full"));
    EXPECT_EQ(notice->action, NoticeAction::OpenShell);
    vm->sandbox_seen->used = ByteSize{(15 * gib).bytes() + 1};
    EXPECT_EQ(look(), "");
    vm->sandbox_seen->state = SandboxRow::State::Held;
    EXPECT_EQ(look(), "web waits for room on its disk");
    vm->sandbox_seen->state = SandboxRow::State::Running;
    EXPECT_EQ(look(), "") << "better is no news";
    vm->sandbox_seen->used = 1 * gib;
    EXPECT_EQ(look(), "");
    vm->sandbox_seen->used = 15 * gib;
    EXPECT_EQ(look(), "web has little room left");
}

/// bangerd is started by a search, and asks the broker then: nobody is to hear of it each time.
TEST_F(VmNewsOfRowsTest, AFullDiskOfOneThatDoesNotRunIsNoNewsUntilItRuns)
{
    news.learn(*vm);
    vm->sandbox_seen = sandbox(SandboxRow::State::Stopped, 15 * gib);
    EXPECT_EQ(look(), "");
    EXPECT_EQ(becomes(VmState::Starting), "");
    EXPECT_EQ(becomes(VmState::Running), "web has little room left");
    EXPECT_EQ(look(), "");
}

TEST_F(VmNewsOfRowsTest, OneThatIsForgottenIsLookedAtAnew)
{
    vm->record.state = VmState::Running;
    news.learn(*vm);
    news.forget(*vm);
    EXPECT_EQ(becomes(VmState::Failed), "");
}

TEST(NewsOfLittleRoom, SaysHowMuchThereIsAndShowsWhatTakesIt)
{
    const auto notice = news_of_little_room(512 * mib);
    EXPECT_EQ(notice.title, "The disk of this computer is nearly full");
    EXPECT_THAT(notice.body, HasSubstr("512M"));
    EXPECT_EQ(notice.action, NoticeAction::OpenTui);
    EXPECT_EQ(news_of_little_room(1 * mib).key, notice.key) << "the next takes its place";
}

/// As bangerd sees the ends of real VMMs.
class VmNewsTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_TRUE(bangerd.create("web").ok());
        vm = bangerd.vm("web");
        news.learn(*vm);
    }
    std::optional<Notice> news_when(VmState state)
    {
        EXPECT_TRUE(bangerd.drive([&] { return vm->record.state == state && !vm->running; }));
        auto notice = news.look(*vm);
        bangerd.settle();
        return notice;
    }

    World world;
    Bangerd bangerd{world};
    VmPtr vm;
    VmNews news;
};

TEST_F(VmNewsTest, ACrashIsTold)
{
    bangerd.end_guest("web", std::nullopt);
    const auto notice = news_when(VmState::Failed);
    ASSERT_TRUE(notice);
    EXPECT_EQ(notice->title, "web has ended by itself");
    EXPECT_EQ(notice->action, NoticeAction::ShowLog);
}

TEST_F(VmNewsTest, AGuestThatPowersOffUnaskedIsToldWithAnotherStart)
{
    bangerd.end_guest("web", GuestEnd::PowerOff);
    const auto notice = news_when(VmState::Stopped);
    ASSERT_TRUE(notice);
    EXPECT_EQ(notice->title, "web has shut itself down");
    EXPECT_EQ(notice->action, NoticeAction::Start);
}

TEST_F(VmNewsTest, AKillIsNoNews)
{
    bangerd.manager->kill(vm, SIGKILL);
    EXPECT_FALSE(news_when(VmState::Stopped));
}

TEST_F(VmNewsTest, AnEndThatWasUnaskedOnceIsForgottenByTheNextRun)
{
    bangerd.end_guest("web", GuestEnd::PowerOff);
    EXPECT_TRUE(news_when(VmState::Stopped));
    ASSERT_TRUE(bangerd.start("web").ok());
    EXPECT_FALSE(vm->end_unasked);
    EXPECT_FALSE(news.look(*vm));
    ASSERT_TRUE(bangerd.stop("web").ok());
    EXPECT_FALSE(news_when(VmState::Stopped));
}

TEST_F(VmNewsTest, AGuestsRebootIsNoNews)
{
    std::vector<std::string> told;
    const auto before = vm->record.process.pid;
    bangerd.end_guest("web", GuestEnd::Reset);
    EXPECT_TRUE(bangerd.drive([&] {
        if (const auto notice = news.look(*vm)) {
            told.push_back(notice->title);
        }
        return vm->ready() && vm->record.process.pid != before;
    }));
    bangerd.settle();
    EXPECT_THAT(told, ::testing::IsEmpty());
}

TEST_F(VmNewsTest, AGuestThatAFullDiskOfTheHostHasStoppedIsTold)
{
    world.vmms.stuck = true;
    bangerd.disks.free = 0;
    bangerd.manager->housekeep();
    const auto notice = news.look(*vm);
    ASSERT_TRUE(notice);
    EXPECT_EQ(notice->title, "web stands still");
    bangerd.manager->housekeep();
    EXPECT_FALSE(news.look(*vm));
    bangerd.settle();
}

}  // namespace
}  // namespace banger::agent::test
