// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "common/pipe.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VmManagerTest : public ::testing::Test {
protected:
    VmPtr create(const std::string& name, StopPolicy policy = StopPolicy::Keep)
    {
        auto request = bangerd.request(name);
        request.on_stop = policy;
        const auto outcome = bangerd.create(request);
        EXPECT_TRUE(outcome.ok()) << outcome.what();
        return bangerd.vm(name);
    }

    World world;
    Bangerd bangerd{world};
};

TEST_F(VmManagerTest, FindsByNameAndById)
{
    const auto vm = create("calm-otter");
    EXPECT_EQ(bangerd.manager->find("calm-otter"), vm);
    EXPECT_EQ(bangerd.manager->find(vm->record.id.str()), vm);
    EXPECT_EQ(bangerd.manager->find("calm"), nullptr);
    EXPECT_EQ(bangerd.manager->find(""), nullptr);
}

TEST_F(VmManagerTest, SaysWhichNameWasProbablyMeant)
{
    create("calm-otter");
    try {
        bangerd.manager->get("calm-oter");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
        EXPECT_THAT(error.what(), HasSubstr("did you mean calm-otter"));
    }
}

TEST_F(VmManagerTest, ListsInTheOrderOfNames)
{
    for (const auto* name : {"c", "a", "b"}) {
        create(name);
    }
    std::string names;
    for (const auto& vm : bangerd.manager->list()) {
        names += vm->name();
    }
    EXPECT_EQ(names, "abc");
    EXPECT_EQ(bangerd.manager->running_count(), 3U);
}

TEST_F(VmManagerTest, StopAndStartAgain)
{
    create("calm-otter");
    const auto operation = bangerd.operation();
    ASSERT_TRUE(bangerd.run(bangerd.manager->stop(bangerd.vm("calm-otter"), operation, seconds{5})).ok());
    EXPECT_TRUE(operation->result().at("clean").get<bool>());
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    ASSERT_TRUE(bangerd.start("calm-otter").ok());
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, StartOfARunningVmAndStopOfAStoppedOneEndAtOnce)
{
    create("calm-otter");
    EXPECT_TRUE(bangerd.start("calm-otter").ok());
    EXPECT_EQ(world.live_processes(), 1U);
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
}

TEST_F(VmManagerTest, DeleteNeedsForceWhileItRuns)
{
    create("calm-otter");
    const auto outcome = bangerd.remove("calm-otter", Force::No);
    EXPECT_EQ(outcome.code(), ErrorCode::WrongState);
    EXPECT_THAT(outcome.what(), HasSubstr("delete it with -f"));
    EXPECT_TRUE(bangerd.remove("calm-otter", Force::Yes).ok());
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, DeleteOfAStoppedVmLeavesNothing)
{
    create("calm-otter");
    bangerd.stop("calm-otter");
    EXPECT_TRUE(bangerd.remove("calm-otter", Force::No).ok());
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, AFullDiskDoesNotStopADelete)
{
    create("calm-otter");
    world.arm("store.update", Fault::Fail, ErrorCode::NoSpace);
    EXPECT_TRUE(bangerd.remove("calm-otter", Force::Yes).ok());
    EXPECT_EQ(world.fired(), "store.update");
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, ADeleteThatFailsHalfWayCanBeTriedAgain)
{
    create("calm-otter");
    world.arm("store.remove", Fault::Fail, ErrorCode::NoSpace);
    EXPECT_EQ(bangerd.remove("calm-otter", Force::Yes).code(), ErrorCode::NoSpace);
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Deleting) << "not listed as good";
    EXPECT_EQ(bangerd.start("calm-otter").code(), ErrorCode::WrongState);
    EXPECT_EQ(bangerd.stop("calm-otter").code(), ErrorCode::WrongState);
    EXPECT_TRUE(bangerd.remove("calm-otter", Force::No).ok());
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, OperationsOnOneVmComeOneAfterTheOther)
{
    const auto vm = create("calm-otter");
    std::vector<std::shared_ptr<Outcome>> outcomes;
    for (int i = 0; i < 5; ++i) {
        outcomes.push_back(bangerd.begin(bangerd.manager->stop(vm, bangerd.operation(), seconds{5})));
        outcomes.push_back(bangerd.begin(bangerd.manager->start(vm, bangerd.operation(), seconds{5})));
        outcomes.push_back(bangerd.begin(bangerd.manager->restart(vm, bangerd.operation(), seconds{5})));
    }
    for (const auto& outcome : outcomes) {
        ASSERT_TRUE(bangerd.drive([&] { return outcome->ended; }));
        EXPECT_TRUE(outcome->ok() || outcome->code() == ErrorCode::Cancelled) << outcome->what();
        EXPECT_LE(world.live_processes(), 1U);
    }
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, AHangingVmStopsNoOther)
{
    const LeaksExpected leaks;
    create("stuck");
    create("calm-otter");
    world.arm("link.shut_down", Fault::Hang);
    const auto stuck = bangerd.begin(bangerd.manager->stop(bangerd.vm("stuck"), bangerd.operation(), seconds{5}));
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
    EXPECT_TRUE(bangerd.start("calm-otter").ok());
    EXPECT_FALSE(stuck->ended);
}

TEST_F(VmManagerTest, OfManyAtOnceEachGetsItsOwn)
{
    std::vector<std::shared_ptr<Outcome>> outcomes;
    for (int i = 0; i < 40; ++i) {
        const auto vm =
            bangerd.manager->reserve(bangerd.manager->check(bangerd.request("vm-" + std::to_string(i))), {});
        outcomes.push_back(
            bangerd.begin(bangerd.manager->make(vm, bangerd.operation(), AfterCreate::Start, seconds{5})));
    }
    for (const auto& outcome : outcomes) {
        ASSERT_TRUE(bangerd.drive([&] { return outcome->ended; }));
        EXPECT_TRUE(outcome->ok()) << outcome->what();
    }
    EXPECT_EQ(world.live_processes(), 40U);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

// remove_on_stop

TEST_F(VmManagerTest, AVmRemovedOnStopGoesWithItsStop)
{
    create("calm-otter", StopPolicy::Remove);
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.manager->list().empty(); }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, AVmRemovedOnStopGoesWhenItsGuestPowersOff)
{
    create("calm-otter", StopPolicy::Remove);
    bangerd.end_guest("calm-otter", GuestEnd::PowerOff);
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.manager->list().empty(); }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, AVmRemovedOnStopSurvivesARestart)
{
    create("calm-otter", StopPolicy::Remove);
    EXPECT_TRUE(bangerd.restart("calm-otter").ok());
    bangerd.settle();
    ASSERT_NE(bangerd.vm("calm-otter"), nullptr);
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, AVmRemovedOnStopSurvivesAReboot)
{
    const auto vm = create("calm-otter", StopPolicy::Remove);
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(bangerd.drive([&] { return !vm->running; }));
    EXPECT_TRUE(bangerd.drive([&] { return vm->ready(); }));
    bangerd.settle();
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

// Reboots

TEST_F(VmManagerTest, ARebootInTheGuestBringsItBack)
{
    const auto vm = create("calm-otter");
    const auto before = vm->record.process.pid;
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(bangerd.drive([&] { return vm->ready() && vm->record.process.pid != before; }));
    bangerd.settle();
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, AStopThatComesJustAfterARebootWins)
{
    const auto vm = create("calm-otter");
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    ASSERT_TRUE(bangerd.drive([&] { return vm->reboot_wanted; }));
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
    bangerd.settle();
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, ADeleteThatComesJustAfterARebootWins)
{
    const auto vm = create("calm-otter");
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    ASSERT_TRUE(bangerd.drive([&] { return vm->reboot_wanted; }));
    EXPECT_TRUE(bangerd.remove("calm-otter", Force::Yes).ok());
    bangerd.settle();
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, ADeleteWithoutForceSparesAVmThatReboots)
{
    const auto vm = create("calm-otter");
    std::promise<void> disk;  // a slow one, that the row of the end waits for
    ASSERT_TRUE(bangerd.store_lane.submit([slow = disk.get_future().share()] { slow.wait(); }));
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    ASSERT_TRUE(bangerd.drive([&] { return vm->reboot_wanted; }));
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    const auto refused = bangerd.remove("calm-otter", Force::No);
    EXPECT_EQ(refused.code(), ErrorCode::WrongState);
    EXPECT_THAT(refused.what(), HasSubstr("is rebooting"));
    disk.set_value();
    EXPECT_TRUE(bangerd.drive([&] { return vm->ready(); }));
    bangerd.settle();
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, ARebootThatFailsIsLoggedAndLeavesItFailed)
{
    const auto vm = create("calm-otter");
    world.arm("process.start", Fault::Fail);
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(bangerd.drive([&] { return vm->record.state == VmState::Failed; }));
    bangerd.settle();
    ASSERT_FALSE(bangerd.log.empty());
    EXPECT_THAT(bangerd.log.back(), HasSubstr("reboot failed"));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

// Leases

TEST_F(VmManagerTest, ALeaseThatEndsWhileTheVmRebootsKeepsItDown)
{
    auto lease = make_pipe("a lease");
    ASSERT_TRUE(bangerd.create(bangerd.request("calm-otter"), AfterCreate::Start, std::move(lease.read)).ok());
    const auto vm = bangerd.vm("calm-otter");
    std::promise<void> disk;  // a slow one, that the row of the end waits for
    ASSERT_TRUE(bangerd.store_lane.submit([slow = disk.get_future().share()] { slow.wait(); }));
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    ASSERT_TRUE(bangerd.drive([&] { return vm->reboot_wanted; }));
    lease.write.reset();
    EXPECT_TRUE(bangerd.drive([&] { return !vm->reboot_wanted; }));
    disk.set_value();
    bangerd.settle();
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, ALeaseThatEndsInTheMiddleOfARestartKeepsItsVmDown)
{
    auto lease = make_pipe("a lease");
    ASSERT_TRUE(bangerd.create(bangerd.request("calm-otter"), AfterCreate::Start, std::move(lease.read)).ok());
    const auto vm = bangerd.vm("calm-otter");
    std::promise<void> disk;
    ASSERT_TRUE(bangerd.store_lane.submit([slow = disk.get_future().share()] { slow.wait(); }));
    const auto restarting = bangerd.begin(bangerd.manager->restart(vm, bangerd.operation(), seconds{30}));
    EXPECT_TRUE(bangerd.drive([&] { return !vm->running; }));
    lease.write.reset();
    EXPECT_TRUE(bangerd.drive([&] { return !vm->lease_source; }));
    disk.set_value();
    EXPECT_TRUE(bangerd.drive([&] { return restarting->ended; }));
    EXPECT_EQ(restarting->code(), ErrorCode::Cancelled) << restarting->what();
    bangerd.settle();
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, ALeaseThatEndsWhileTheVmIsStartedAgainEndsTheStart)
{
    auto lease = make_pipe("a lease");
    ASSERT_TRUE(bangerd.create(bangerd.request("calm-otter"), AfterCreate::Start, std::move(lease.read)).ok());
    ASSERT_TRUE(bangerd.stop("calm-otter").ok());
    world.vmms.slow = true;
    const auto vm = bangerd.vm("calm-otter");
    const auto starting = bangerd.begin(bangerd.manager->start(vm, bangerd.operation(), seconds{30}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->end_boot != nullptr; }));
    lease.write.reset();
    ASSERT_TRUE(bangerd.drive([&] { return starting->ended; }));
    EXPECT_EQ(starting->code(), ErrorCode::Cancelled) << starting->what();
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmManagerTest, TheChannelOfAVmThatDoesNotRunIsRefusedWithTheMend)
{
    create("calm-otter");
    bangerd.stop("calm-otter");
    try {
        VmManager::link(bangerd.vm("calm-otter"));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::WrongState);
        EXPECT_THAT(error.what(), HasSubstr("banger vm start calm-otter"));
    }
}

}  // namespace
}  // namespace banger::agent::test
