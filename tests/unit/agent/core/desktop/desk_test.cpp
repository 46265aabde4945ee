// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/desk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/bangerd.hpp"
#include "tests/unit/agent/core/desktop/desk_world.hpp"

namespace banger::agent::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Words = std::vector<std::string>;

Words in_window(const Words& words)
{
    Words all{"/usr/bin/banger", "internal", "window", "--"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

class DeskTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_TRUE(bangerd.create("web").ok());
        ASSERT_TRUE(bangerd.create("old", AfterCreate::Leave).ok());
    }
    void act(const std::string& name, DeskAction action) { desk.act({bangerd.vm(name), action, Closeness::Whole}); }
    bool opens(std::size_t count = 1)
    {
        return bangerd.drive([this, count] { return terminals.opened.size() == count; });
    }
    bool idle()
    {
        const bool is = bangerd.drive([this] { return operations.running() == 0; });
        bangerd.settle();
        return is;
    }

    World world;
    Bangerd bangerd{world};
    Operations operations{bangerd.loop};
    FakeTerminals terminals;
    std::vector<Notice> told;
    std::vector<std::string> log;
    Desk desk{bangerd.loop,
              *bangerd.manager,
              operations,
              terminals,
              {.banger = [] { return std::string{"/usr/bin/banger"}; },
               .tell = [this](Notice notice) { told.push_back(std::move(notice)); },
               .log = [this](const std::string& text) { log.push_back(text); }}};
};

TEST_F(DeskTest, AShellInOneThatRunsOpensAtOnce)
{
    act("web", DeskAction::Open);
    EXPECT_THAT(terminals.opened, ElementsAre(in_window({"vm", "exec", "web"})));
    EXPECT_EQ(operations.running(), 0U);
}

TEST_F(DeskTest, OneThatIsStoppedIsStartedFirst)
{
    act("old", DeskAction::Open);
    EXPECT_THAT(terminals.opened, IsEmpty());
    EXPECT_EQ(operations.running(), 1U) << "others see it";
    ASSERT_TRUE(opens());
    EXPECT_EQ(bangerd.state("old"), VmState::Running);
    EXPECT_THAT(terminals.opened, ElementsAre(in_window({"vm", "exec", "old"})));
    EXPECT_THAT(told, IsEmpty());
    EXPECT_TRUE(idle());
}

TEST_F(DeskTest, TwoWhoWantAShellInOneThatIsStoppedGetOneEach)
{
    act("old", DeskAction::Open);
    act("old", DeskAction::Open);
    EXPECT_TRUE(opens(2));
    EXPECT_TRUE(idle());
}

TEST_F(DeskTest, AStartThatFailsOpensNothing)
{
    world.arm("process.start", Fault::Fail);
    act("old", DeskAction::Open);
    EXPECT_TRUE(idle());
    EXPECT_EQ(bangerd.state("old"), VmState::Failed);
    EXPECT_THAT(terminals.opened, IsEmpty());
    EXPECT_THAT(told, IsEmpty()) << "the state itself is news";
}

TEST_F(DeskTest, AStartThatIsRefusedIsTold)
{
    const auto vm = bangerd.vm("old");
    vm->record.state = VmState::Deleting;
    act("old", DeskAction::Start);
    EXPECT_TRUE(idle());
    ASSERT_THAT(told, SizeIs(1));
    EXPECT_EQ(told[0].title, "old did not start");
    EXPECT_THAT(told[0].body, HasSubstr("deleting"));
    vm->record.state = VmState::Stopped;
}

TEST_F(DeskTest, StartAndStopDoWhatTheySay)
{
    act("old", DeskAction::Start);
    act("web", DeskAction::Stop);
    EXPECT_TRUE(idle());
    EXPECT_EQ(bangerd.state("old"), VmState::Running);
    EXPECT_EQ(bangerd.state("web"), VmState::Stopped);
    EXPECT_THAT(terminals.opened, IsEmpty());
    EXPECT_THAT(told, IsEmpty());
}

TEST_F(DeskTest, AHostWithoutATerminalSaysSoOnceUntilThereIsOne)
{
    terminals.fails_with = Error{ErrorCode::HostLacks, "there is none; as root: apt install xterm"};
    for (int i = 0; i < 3; ++i) {
        act("web", DeskAction::Open);
    }
    ASSERT_THAT(told, SizeIs(1));
    EXPECT_THAT(told[0].body, HasSubstr("apt install xterm"));
    EXPECT_FALSE(told[0].action);
    EXPECT_THAT(log, SizeIs(1));
    terminals.fails_with.reset();
    act("web", DeskAction::Open);
    terminals.fails_with = Error{ErrorCode::HostLacks, "there is none again"};
    act("web", DeskAction::Open);
    EXPECT_THAT(told, SizeIs(2));
}

TEST_F(DeskTest, WhatANoticeOffersIsDone)
{
    const auto id = bangerd.vm("web")->record.id.str();
    desk.act(NoticeAction::OpenShell, id);
    desk.act(NoticeAction::ShowLog, id);
    desk.act(NoticeAction::NewSandbox, "mine");
    desk.act(NoticeAction::OpenTui, "");
    EXPECT_THAT(terminals.opened,
                ElementsAre(in_window({"vm", "exec", "web"}), in_window({"vm", "logs", "--follow", "web"}),
                            in_window({"vm", "run", "--image", "mine"}), in_window({"tui"})));
    desk.act(NoticeAction::Start, bangerd.vm("old")->record.id.str());
    EXPECT_TRUE(idle());
    EXPECT_EQ(bangerd.state("old"), VmState::Running);
}

TEST_F(DeskTest, ANoticeOfAVmThatIsGoneDoesNothing)
{
    desk.act(NoticeAction::OpenShell, "aaaaaaaaaaaa");
    desk.act(NoticeAction::Start, "");
    EXPECT_THAT(terminals.opened, IsEmpty());
    EXPECT_THAT(told, IsEmpty());
}

}  // namespace
}  // namespace banger::agent::test
