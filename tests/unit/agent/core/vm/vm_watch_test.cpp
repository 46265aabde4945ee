// SPDX-License-Identifier: GPL-2.0-or-later
// VmRunner while a VMM runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "agent/core/vm/vm_folder.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VmWatchTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_TRUE(bangerd.create("calm-otter").ok());
        vm = bangerd.vm("calm-otter");
    }
    bool becomes(VmState state)
    {
        const bool did = bangerd.drive([&] { return vm->record.state == state && !vm->running; });
        bangerd.settle();
        return did;
    }

    World world;
    Bangerd bangerd{world};
    VmPtr vm;
};

TEST_F(VmWatchTest, APowerOffThatTheVmmTellsIsAStop)
{
    bangerd.end_guest("calm-otter", GuestEnd::PowerOff);
    EXPECT_TRUE(becomes(VmState::Stopped));
    EXPECT_EQ(vm->record.reason, "");
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    EXPECT_EQ(world.rows.begin()->second.state, VmState::Stopped);
    EXPECT_EQ(world.rows.begin()->second.process.pid, 0);
}

TEST_F(VmWatchTest, APowerOffThatOnlyTheGuestTellsIsAStopThoughTheVmmResets)
{
    bangerd.link("calm-otter").say_goodbye(GuestGoodbye::PowerOff);
    bangerd.settle();
    EXPECT_FALSE(vm->ready());
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(becomes(VmState::Stopped));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmWatchTest, APowerOffThatIsToldWithTheEndOfItsVmmIsNoReboot)
{
    bangerd.link("calm-otter").say_goodbye(GuestGoodbye::PowerOff);
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(becomes(VmState::Stopped));
    EXPECT_FALSE(vm->running);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmWatchTest, AGuestThatSaysGoodbyeOverAndOverIsNotedOnce)
{
    auto& row = world.rows.begin()->second;
    auto& link = bangerd.link("calm-otter");
    bangerd.seen.clear();
    link.say_goodbye(GuestGoodbye::PowerOff);
    bangerd.settle();
    EXPECT_EQ(row.state, VmState::Stopping) << "for a bangerd that comes back";
    EXPECT_FALSE(vm->ready());
    EXPECT_THAT(bangerd.seen, ElementsAre("calm-otter running")) << "that it is not ready any more";
    EXPECT_EQ(vm->record.state, VmState::Running);
    row.state = VmState::Running;
    for (const auto goodbye : {GuestGoodbye::PowerOff, GuestGoodbye::Reboot, GuestGoodbye::PowerOff}) {
        link.say_goodbye(goodbye);
    }
    bangerd.settle();
    EXPECT_EQ(row.state, VmState::Running) << "the row was written again";
    EXPECT_EQ(bangerd.seen.size(), 1U);
}

TEST_F(VmWatchTest, ARebootThatOnlyTheGuestTellsIsAReboot)
{
    const auto before = vm->record.process.pid;
    bangerd.link("calm-otter").say_goodbye(GuestGoodbye::Reboot);
    bangerd.settle();
    bangerd.end_guest("calm-otter", std::nullopt);
    EXPECT_TRUE(bangerd.drive([&] { return vm->ready() && vm->record.process.pid != before; }));
    bangerd.settle();
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmWatchTest, AVmmThatEndsWithoutAWordIsACrashWithTheEndOfItsLog)
{
    std::ofstream{vm->folder / vm_folder::qemu_log, std::ios::app} << "qemu: internal error\n";
    bangerd.end_guest("calm-otter", std::nullopt);
    EXPECT_TRUE(becomes(VmState::Failed));
    EXPECT_THAT(vm->record.reason, HasSubstr("qemu: internal error"));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    EXPECT_TRUE(bangerd.start("calm-otter").ok());
    EXPECT_EQ(vm->record.reason, "");
}

TEST_F(VmWatchTest, AGuestThatSaysThatItCantBootFailsWithItsWords)
{
    bangerd.stop("calm-otter");
    world.guests.get_ready = false;
    const auto starting = bangerd.begin(bangerd.manager->start(vm, bangerd.operation(), std::chrono::seconds{5}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->running != nullptr; }));
    bangerd.link("calm-otter").say_failed("no root file system");
    bangerd.settle();
    bangerd.end_guest("calm-otter", GuestEnd::PowerOff);
    ASSERT_TRUE(bangerd.drive([&] { return starting->ended; }));
    EXPECT_EQ(starting->code(), ErrorCode::Failed);
    EXPECT_THAT(starting->what(), HasSubstr("no root file system"));
    EXPECT_EQ(vm->record.state, VmState::Failed);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmWatchTest, AGuestThatSaysReadyOverAndOverIsHeardOnce)
{
    const auto before = bangerd.seen.size();
    for (int i = 0; i < 1000; ++i) {
        bangerd.link("calm-otter").say_ready();
    }
    bangerd.settle();
    EXPECT_EQ(bangerd.seen.size(), before);
}

TEST_F(VmWatchTest, AGuestThatSaidGoodbyeIsNotReadyAgain)
{
    auto& link = bangerd.link("calm-otter");
    link.say_goodbye(GuestGoodbye::PowerOff);
    link.say_ready();
    bangerd.settle();
    EXPECT_FALSE(vm->ready());
}

TEST_F(VmWatchTest, ARowThatCantBeWrittenAtTheEndIsLoggedAndHarmsNothing)
{
    world.arm("store.update", Fault::Fail, ErrorCode::NoSpace);
    bangerd.end_guest("calm-otter", GuestEnd::PowerOff);
    EXPECT_TRUE(becomes(VmState::Stopped));
    EXPECT_THAT(bangerd.log.back(), HasSubstr("can't write the row"));
    EXPECT_TRUE(bangerd.start("calm-otter").ok());
}

TEST_F(VmWatchTest, AVmmWithoutAControlConnectionRunsAndIsStopped)
{
    bangerd.stop("calm-otter");
    world.arm("vmm.attach", Fault::Fail, ErrorCode::Unavailable);
    ASSERT_TRUE(bangerd.start("calm-otter").ok());
    world.guests.hear = world.guests.shut_down = false;
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmWatchTest, AGuestThatAFullDiskStoppedIsToldAndGoesOnOnceThereIsRoom)
{
    world.vmms.stuck = true;
    bangerd.disks.free = 0;
    bangerd.manager->housekeep();
    EXPECT_THAT(vm->record.reason, HasSubstr("disk is full"));
    EXPECT_TRUE(world.vmms.stuck);
    bangerd.disks.free = std::uint64_t{1} << 30U;
    bangerd.manager->housekeep();
    EXPECT_EQ(vm->record.reason, "");
    EXPECT_FALSE(world.vmms.stuck);
}

TEST_F(VmWatchTest, ADiskOfTheHostThatIsNearlyFullIsToldOnceUntilThereIsRoomAgain)
{
    const auto times_told = [this](ByteSize free) {
        bangerd.disks.free = free.bytes();
        bangerd.manager->housekeep();
        return bangerd.little_room.size();
    };
    EXPECT_EQ(times_told(1 * gib), 0U);
    EXPECT_EQ(times_told(1'000 * mib), 1U);
    EXPECT_EQ(times_told(10 * mib), 1U);
    EXPECT_EQ(times_told(1'500 * mib), 1U);
    EXPECT_EQ(times_told(900 * mib), 1U) << "a little more is not enough";
    EXPECT_EQ(times_told(2 * gib), 1U);
    EXPECT_EQ(times_told(512 * mib), 2U);
    EXPECT_EQ(bangerd.little_room.back(), 512 * mib);
    EXPECT_EQ(times_told(2 * gib), 2U);
    ASSERT_TRUE(bangerd.stop("calm-otter").ok());
    EXPECT_EQ(times_told(1 * mib), 2U) << "where nothing runs nothing grows";
}

TEST_F(VmWatchTest, AVmmThatEndsJustBeforeTheLimitOfItsStartIsAnEndAndNoLateness)
{
    ASSERT_TRUE(bangerd.stop("calm-otter").ok());
    world.guests.get_ready = false;
    const auto starting =
        bangerd.begin(bangerd.manager->start(vm, bangerd.operation(), std::chrono::milliseconds{300}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->running != nullptr && vm->record.state == VmState::Starting; }));
    bangerd.settle();
    std::promise<void> disk;  // a slow one, that the row of the end waits for
    ASSERT_TRUE(bangerd.store_lane.submit([slow = disk.get_future().share()] { slow.wait(); }));
    bangerd.end_guest("calm-otter", std::nullopt);
    bangerd.drive([] { return false; }, std::chrono::milliseconds{500});
    EXPECT_FALSE(starting->ended);
    disk.set_value();
    EXPECT_TRUE(bangerd.drive([&] { return starting->ended; }));
    EXPECT_EQ(starting->code(), ErrorCode::Failed) << starting->what();
}

}  // namespace
}  // namespace banger::agent::test
