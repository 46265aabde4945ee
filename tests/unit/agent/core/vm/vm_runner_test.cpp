// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "agent/core/vm/vm_folder.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A running VM.
class VmRunnerTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        const auto outcome = bangerd.create("calm-otter");
        ASSERT_TRUE(outcome.ok()) << outcome.what();
        vm = bangerd.vm("calm-otter");
    }
    struct Stopped {
        Outcome outcome;
        bool clean;
        milliseconds took;
    };
    Stopped stop(milliseconds limit)
    {
        const auto operation = bangerd.operation("stop");
        const auto begin = std::chrono::steady_clock::now();
        auto outcome = bangerd.run(bangerd.manager->stop(vm, operation, limit));
        const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
        return {std::move(outcome), operation->result().value("clean", false), took};
    }

    World world;
    Bangerd bangerd{world};
    VmPtr vm;
};

TEST_F(VmRunnerTest, AStopIsCleanWhenTheGuestShutsDown)
{
    const auto stopped = stop(seconds{5});
    EXPECT_TRUE(stopped.outcome.ok()) << stopped.outcome.what();
    EXPECT_TRUE(stopped.clean);
    EXPECT_THAT(world.signals, IsEmpty());
    EXPECT_EQ(vm->record.state, VmState::Stopped) << "and no reboot, though the VMM ended with a reset";
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AStartRemovesTheDisksThatAKilledBangerdDidNotGrowOrCopyToTheirEnd)
{
    ASSERT_TRUE(bangerd.stop("calm-otter").ok());
    const auto half = vm->folder / vm_folder::larger_work_disk;
    const auto copy = vm->folder / vm_folder::root_copy;
    std::ofstream{half} << "half a disk";
    std::ofstream{copy} << "half a disk";
    ASSERT_TRUE(bangerd.start("calm-otter").ok());
    EXPECT_FALSE(std::filesystem::exists(half));
    EXPECT_FALSE(std::filesystem::exists(copy));
}

TEST_F(VmRunnerTest, AGuestThatHearsAndDoesNotShutDownIsEndedAtTheLimit)
{
    world.guests.shut_down = false;
    const auto stopped = stop(milliseconds{200});
    EXPECT_TRUE(stopped.outcome.ok()) << stopped.outcome.what();
    EXPECT_FALSE(stopped.clean);
    EXPECT_GE(stopped.took, milliseconds{190});
    EXPECT_THAT(world.signals, IsEmpty()) << "the VMM was asked first, so that it can flush";
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, ADeafGuestIsEndedWithoutWaitingForTheLimit)
{
    world.guests.hear = false;
    world.guests.shut_down = false;
    const auto stopped = stop(seconds{30});
    EXPECT_TRUE(stopped.outcome.ok()) << stopped.outcome.what();
    EXPECT_FALSE(stopped.clean);
    EXPECT_LT(stopped.took, seconds{5});
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AVmmThatIgnoresQuitIsKilled)
{
    world.guests.hear = false;
    world.guests.shut_down = false;
    world.vmms.obey_quit = false;
    const auto stopped = stop(seconds{30});
    EXPECT_TRUE(stopped.outcome.ok()) << stopped.outcome.what();
    EXPECT_THAT(world.signals, ElementsAre(SIGKILL));
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AVmmThatNotEvenTheKernelEndsIsSaidAndMayBeStoppedAgain)
{
    world.guests.hear = false;
    world.guests.shut_down = false;
    world.vmms.obey_quit = false;
    world.vmms.die_when_killed = false;
    const auto stopped = stop(milliseconds{100});
    EXPECT_EQ(stopped.outcome.code(), ErrorCode::TimedOut);
    EXPECT_THAT(stopped.outcome.what(), HasSubstr("can't be ended"));
    EXPECT_EQ(vm->record.state, VmState::Stopping);
    EXPECT_EQ(bangerd.start("calm-otter").code(), ErrorCode::WrongState) << "two VMMs on one disk";
    world.vmms.die_when_killed = true;
    EXPECT_TRUE(stop(milliseconds{100}).outcome.ok());
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AVmmThatEndsLongAfterItsStopFailedIsNoticed)
{
    world.guests.hear = world.guests.shut_down = world.vmms.obey_quit = world.vmms.die_when_killed = false;
    stop(milliseconds{100});
    bangerd.end_guest("calm-otter", std::nullopt);
    EXPECT_TRUE(bangerd.drive([&] { return vm->record.state == VmState::Stopped; }));
    bangerd.settle();
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, ADeleteWhoseVmmEndsLateEndsByItself)
{
    world.vmms.obey_quit = world.vmms.die_when_killed = false;
    EXPECT_EQ(bangerd.remove("calm-otter", Force::Yes).code(), ErrorCode::TimedOut);
    EXPECT_EQ(vm->record.state, VmState::Deleting);
    bangerd.end_guest("calm-otter", std::nullopt);
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.manager->list().empty(); }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, ManyMayWaitForOneEnd)
{
    world.guests.hear = world.guests.shut_down = world.vmms.obey_quit = false;
    const auto first = bangerd.begin(bangerd.manager->stop(vm, bangerd.operation(), seconds{1}));
    const auto second = bangerd.begin(bangerd.manager->remove(vm, bangerd.operation(), Force::Yes));
    const auto third = bangerd.begin(bangerd.manager->stop(vm, bangerd.operation(), seconds{1}));
    EXPECT_TRUE(bangerd.drive([&] { return first->ended && second->ended && third->ended; }));
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AKillBySignalIsNoCrash)
{
    bangerd.manager->kill(vm, SIGKILL);
    EXPECT_TRUE(bangerd.drive([&] { return vm->record.state == VmState::Stopped; }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    EXPECT_THROW(bangerd.manager->kill(vm, SIGKILL), Error);
}

TEST_F(VmRunnerTest, OtherSignalsAreSentAndEndNothing)
{
    bangerd.manager->kill(vm, SIGUSR1);
    bangerd.settle();
    EXPECT_THAT(world.signals, ElementsAre(SIGUSR1));
    EXPECT_EQ(vm->record.state, VmState::Running);
}

// Starts

TEST_F(VmRunnerTest, AStopEndsAStartThatHangsBeforeItsVmmRuns)
{
    for (const std::string step : {"ladder.choose", "network.start", "keys"}) {
        SCOPED_TRACE(step);
        stop(seconds{5});
        world.arm(step, Fault::None);
        const auto operation = bangerd.operation("start");
        std::shared_ptr<Outcome> stopping;
        operation->observe([&](const Operation& of, Operation::Change) {
            if (!stopping && of.stage() == (step == "ladder.choose" ? "choosing a VMM" : "connecting the network")) {
                stopping = bangerd.begin(bangerd.manager->stop(vm, bangerd.operation(), seconds{5}));
            }
        });
        const auto started = bangerd.run(bangerd.manager->start(vm, operation, seconds{5}));
        EXPECT_EQ(started.code(), ErrorCode::Cancelled) << started.what();
        ASSERT_TRUE(bangerd.drive([&] { return stopping->ended; }));
        EXPECT_TRUE(stopping->ok());
        EXPECT_EQ(vm->record.state, VmState::Stopped);
        EXPECT_THAT(bangerd.faults(), IsEmpty());
    }
}

TEST_F(VmRunnerTest, WhoGivesUpAStartDoesNotWaitForAVmmThatIsSlow)
{
    world.vmms.slow = true;
    for (const bool cancel : {false, true}) {
        SCOPED_TRACE(cancel);
        stop(seconds{5});
        const auto operation = bangerd.operation("start");
        const auto starting = bangerd.begin(bangerd.manager->start(vm, operation, seconds{30}));
        ASSERT_TRUE(bangerd.drive([&] { return vm->end_boot != nullptr; }));
        if (cancel) {
            operation->cancel();
        } else {
            EXPECT_TRUE(stop(seconds{5}).outcome.ok());
        }
        ASSERT_TRUE(bangerd.drive([&] { return starting->ended; }));
        EXPECT_EQ(starting->code(), ErrorCode::Cancelled) << starting->what();
        EXPECT_EQ(vm->record.state, VmState::Stopped);
        EXPECT_EQ(vm->record.reason, "");
        EXPECT_EQ(world.live_processes(), 0U);
        EXPECT_THAT(bangerd.faults(), IsEmpty());
    }
}

TEST_F(VmRunnerTest, AStopEndsAStartThatWaitsForItsGuest)
{
    stop(seconds{5});
    world.guests.get_ready = false;
    const auto starting = bangerd.begin(bangerd.manager->start(vm, bangerd.operation(), seconds{30}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->running != nullptr; }));
    EXPECT_TRUE(stop(seconds{5}).outcome.ok());
    EXPECT_EQ(starting->code(), ErrorCode::Cancelled);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, ACancelledStartEndsItsVmm)
{
    stop(seconds{5});
    world.guests.get_ready = false;
    const auto operation = bangerd.operation("start");
    const auto starting = bangerd.begin(bangerd.manager->start(vm, operation, seconds{30}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->running != nullptr; }));
    operation->cancel();
    ASSERT_TRUE(bangerd.drive([&] { return starting->ended; }));
    EXPECT_EQ(starting->code(), ErrorCode::Cancelled);
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_EQ(vm->record.reason, "");
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AStartThatFailsAtAnyStepLeavesNothingRunningAndSaysWhy)
{
    for (int step = 1;; ++step) {
        stop(seconds{5});
        world.arm(step, Fault::Fail, ErrorCode::NoSpace);
        const auto outcome = bangerd.start("calm-otter");
        const auto where = world.fired();
        world.disarm();
        if (where.empty()) {
            EXPECT_GT(step, 8);
            break;
        }
        SCOPED_TRACE(where);
        ASSERT_TRUE(outcome.ended);
        EXPECT_THAT(bangerd.faults(), IsEmpty());
        if (outcome.error) {
            EXPECT_EQ(outcome.code(), ErrorCode::NoSpace);
            const bool has_begun = where != "process.find";  // whether a VMM runs already comes first
            EXPECT_EQ(vm->record.state, has_begun ? VmState::Failed : VmState::Stopped);
            EXPECT_THAT(outcome.what(), HasSubstr(where));
            EXPECT_THAT(vm->record.reason, HasSubstr(has_begun ? where : ""));
            EXPECT_TRUE(bangerd.start("calm-otter").ok()) << "it may be tried again";
        }
    }
}

TEST_F(VmRunnerTest, AVmmThatNobodyToldOfIsEndedWithTheStartThatFailed)
{
    stop(seconds{5});
    world.vmms.told = false;
    EXPECT_EQ(bangerd.start("calm-otter").code(), ErrorCode::Failed);
    EXPECT_EQ(vm->record.state, VmState::Failed);
    EXPECT_EQ(world.live_processes(), 0U);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, AStartThatFailsWithItsDiskFullStaysFullTellsTheFirstError)
{
    stop(seconds{5});
    bangerd.kernels.missing = true;
    const auto outcome = bangerd.start("calm-otter");
    EXPECT_EQ(outcome.code(), ErrorCode::NotFound);
    EXPECT_THAT(outcome.what(), HasSubstr("banger kernel import --name debian"));
    EXPECT_EQ(vm->record.state, VmState::Failed);
}

TEST_F(VmRunnerTest, WithoutANetworkAnAutomaticChoiceGoesOnAndSaysSo)
{
    auto request = bangerd.request("brave-eel");
    request.network = NetworkChoice::Auto;
    world.arm("network.start", Fault::Fail, ErrorCode::HostLacks);
    ASSERT_TRUE(bangerd.create(request).ok());
    EXPECT_EQ(bangerd.vm("brave-eel")->record.network, "none");
    EXPECT_THAT(bangerd.vm("brave-eel")->record.reason, HasSubstr("no network"));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, WithoutANetworkOneThatWasAskedForIsAnError)
{
    world.arm("network.start", Fault::Fail, ErrorCode::HostLacks);
    EXPECT_EQ(bangerd.create("brave-eel").code(), ErrorCode::HostLacks);
    EXPECT_EQ(bangerd.vm("brave-eel"), nullptr) << "an impossible first start leaves nothing";
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRunnerTest, TheNetworkIsToldWhetherTheHostIsShielded)
{
    EXPECT_EQ(world.networks.at(vm->folder), LoopbackPolicy::Shielded);
    auto request = bangerd.request("open-otter");
    request.loopback = LoopbackPolicy::Allowed;
    const auto outcome = bangerd.create(request);
    ASSERT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_EQ(world.networks.at(bangerd.vm("open-otter")->folder), LoopbackPolicy::Allowed);
}

TEST_F(VmRunnerTest, EachStartPointsToTheKernelOfItsSpec)
{
    EXPECT_EQ(std::filesystem::read_symlink(vm->folder / "kernel"), world.root / "kernel/vmlinux");
    EXPECT_EQ(std::filesystem::read_symlink(vm->folder / "initrd"), world.root / "kernel/initrd");
    EXPECT_EQ(std::filesystem::read_symlink(vm->folder / "modules.img"), world.root / "kernel/modules.ext4");
}

}  // namespace
}  // namespace banger::agent::test
