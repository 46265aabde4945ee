// SPDX-License-Identifier: GPL-2.0-or-later
// A bangerd that comes back: by plan, after a SIGKILL at each step, and after a lost database.
// Long because each state that one is left in has its test, all over one fixture.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class VmRecoveryTest : public ::testing::Test {
protected:
    /// Ends the bangerd that is, if any, and starts the next one over the same world.
    Bangerd& restart()
    {
        bangerd.reset();
        bangerd = std::make_unique<Bangerd>(world);
        const auto outcome = bangerd->recover();
        EXPECT_TRUE(outcome.ok()) << outcome.what();
        bangerd->settle();
        return *bangerd;
    }
    Outcome ask(const std::string& what)
    {
        const auto vm = bangerd->vm("calm-otter");
        if (what == "start") {
            return bangerd->start("calm-otter");
        }
        if (what == "restart") {
            return bangerd->restart("calm-otter");
        }
        if (what == "stop") {
            return bangerd->stop("calm-otter");
        }
        if (what == "delete") {
            return bangerd->remove("calm-otter", Force::No);
        }
        if (what == "lend") {
            return bangerd->run(lend(vm));
        }
        return bangerd->run(bangerd->manager->change(vm, bangerd->operation(), {.disk = 32 * gib}));
    }
    Task<void> lend(VmPtr vm)
    {
        RootUse use = [](std::filesystem::path) -> Task<void> {
            ADD_FAILURE() << "its disk is taken while it runs";
            co_return;
        };
        co_await bangerd->manager->lend_root(vm, bangerd->operation(), StopFirst::No, std::move(use));
    }
    VmRecord& row() { return world.rows.begin()->second; }

    World world;
    std::unique_ptr<Bangerd> bangerd = std::make_unique<Bangerd>(world);
};

TEST_F(VmRecoveryTest, ARunningVmIsTakenOver)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    const auto process = bangerd->vm("calm-otter")->record.process.pid;
    auto& next = restart();
    EXPECT_EQ(next.state("calm-otter"), VmState::Running);
    EXPECT_EQ(next.vm("calm-otter")->record.process.pid, process);
    EXPECT_TRUE(next.vm("calm-otter")->ready());
    EXPECT_TRUE(next.link("calm-otter").settings().keep) << "a guest that runs is not configured anew";
    EXPECT_EQ(next.link("calm-otter").settings().network.address, "192.0.2.7");
    EXPECT_THAT(next.faults(), IsEmpty());
    EXPECT_TRUE(next.stop("calm-otter").ok());
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmWhoseHomeIsInItsImageGetsNoKeysFromTheNextBangerdEither)
{
    auto request = bangerd->request("calm-otter");
    request.home = HomePlace::Image;
    ASSERT_TRUE(bangerd->create(request).ok());
    ASSERT_TRUE(bangerd->create("brave-eel").ok());
    auto& next = restart();
    EXPECT_THAT(next.link("calm-otter").settings().authorized_keys, IsEmpty());
    EXPECT_THAT(next.link("brave-eel").settings().authorized_keys, ElementsAre("ssh-ed25519 AAAA test"));
}

TEST_F(VmRecoveryTest, AVmTakenOverInItsFirstBootIsWelcomedAndHasNoOther)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    const auto folder = bangerd->vm("calm-otter")->folder;
    bangerd.reset();
    row().state = VmState::Starting;  // as a bangerd leaves it that ends while the guest boots
    put_mark(folder, vm_folder::fresh);
    auto& next = restart();
    EXPECT_THAT(next.welcomed, ElementsAre("calm-otter"));
    ASSERT_TRUE(next.restart("calm-otter").ok());
    EXPECT_THAT(next.vmm.config->kernel_arguments, Not(HasSubstr("first-boot")));
    EXPECT_THAT(next.welcomed, ElementsAre("calm-otter"));
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmThatRebootsJustAfterATakeOverComesBack)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    bangerd.reset();
    bangerd = std::make_unique<Bangerd>(world);
    const auto recovering = bangerd->begin(bangerd->manager->recover(bangerd->store.load()));
    ASSERT_TRUE(bangerd->drive([&] { return bangerd->vm("calm-otter") && bangerd->vm("calm-otter")->running; }));
    bangerd->end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(bangerd->drive([&] { return recovering->ended && bangerd->vm("calm-otter")->ready(); }));
    bangerd->settle();
    EXPECT_EQ(bangerd->state("calm-otter"), VmState::Running);
    EXPECT_THAT(bangerd->faults(), IsEmpty());
}

/// Firecracker's only way to end, here after a word that a stop was meant.
void expect_reset_to_stop(Bangerd& bangerd)
{
    bangerd.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.state("calm-otter") == VmState::Stopped; }));
    bangerd.settle();
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped) << "it came back";
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AGuestThatSaidGoodbyeToTheBangerdBeforeIsNotTakenForOneThatReboots)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    bangerd->link("calm-otter").say_goodbye(GuestGoodbye::PowerOff);
    bangerd->settle();
    auto& next = restart();  // its guest does not say it again, as one of an earlier banger
    expect_reset_to_stop(next);
}

TEST_F(VmRecoveryTest, AStopThatABangerdBeganIsAStopForTheNext)
{
    const LeaksExpected leaks;
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    world.guests.shut_down = false;  // it hears, and takes its time
    bangerd->begin(bangerd->manager->stop(bangerd->vm("calm-otter"), bangerd->operation(), seconds{60}));
    bangerd->settle();
    ASSERT_EQ(row().state, VmState::Stopping);
    auto& next = restart();
    EXPECT_EQ(next.state("calm-otter"), VmState::Running);
    expect_reset_to_stop(next);
}

TEST_F(VmRecoveryTest, AStopThatItsGuestNeverHeardMakesNoStopOfALaterReboot)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    bangerd.reset();
    row().state = VmState::Stopping;  // as a bangerd leaves it that is killed before it tells the guest
    auto& next = restart();
    auto& until = next.vm("calm-otter")->running->going_down_until;
    EXPECT_GT(until, std::chrono::steady_clock::now());
    until = std::chrono::steady_clock::now();  // much later
    next.end_guest("calm-otter", GuestEnd::Reset);
    EXPECT_TRUE(next.drive([&] { return !next.vm("calm-otter")->running; }));
    EXPECT_TRUE(next.drive([&] { return next.vm("calm-otter")->ready(); }));
    next.settle();
    EXPECT_EQ(next.state("calm-otter"), VmState::Running);
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmWhoseVmmEndedMeanwhileIsStoppedAndSaysSo)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    const auto pid = bangerd->vm("calm-otter")->record.process.pid;
    bangerd.reset();
    world.end_process(pid, std::nullopt);
    auto& next = restart();
    EXPECT_EQ(next.state("calm-otter"), VmState::Stopped);
    EXPECT_THAT(next.vm("calm-otter")->record.reason, HasSubstr("ended while bangerd was away"));
    EXPECT_EQ(row().state, VmState::Stopped);
    EXPECT_THAT(next.faults(), IsEmpty());
    EXPECT_TRUE(next.start("calm-otter").ok());
}

TEST_F(VmRecoveryTest, AVmmThatWasNeverToldWhatToBootIsEndedAndItsVmStopped)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    bangerd.reset();
    row().state = VmState::Starting;  // as after a SIGKILL between the VMM's start and its boot
    world.vmms.booted = false;
    auto& next = restart();
    EXPECT_EQ(next.state("calm-otter"), VmState::Stopped);
    EXPECT_FALSE(next.vm("calm-otter")->running);
    EXPECT_EQ(world.live_processes(), 0U);
    EXPECT_THAT(next.faults(), IsEmpty());
    world.vmms.booted = true;
    EXPECT_TRUE(next.start("calm-otter").ok());
}

TEST_F(VmRecoveryTest, AStoppedAndAFailedVmStayAsTheyAre)
{
    ASSERT_TRUE(bangerd->create("a", AfterCreate::Leave).ok());
    world.guests.crash_early = true;
    EXPECT_FALSE(bangerd->create("b").ok());
    auto& next = restart();
    EXPECT_EQ(next.state("a"), VmState::Stopped);
    EXPECT_EQ(next.state("b"), VmState::Failed);
    EXPECT_NE(next.vm("b")->record.reason, "");
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmRemovedOnStopThatEndedMeanwhileIsRemoved)
{
    auto request = bangerd->request("calm-otter");
    request.on_stop = StopPolicy::Remove;
    ASSERT_TRUE(bangerd->create(request).ok());
    const auto pid = bangerd->vm("calm-otter")->record.process.pid;
    bangerd.reset();
    world.end_process(pid, std::nullopt);
    auto& next = restart();
    EXPECT_THAT(next.manager->list(), IsEmpty());
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmRemovedOnStopThatWasNeverStartedStays)
{
    auto request = bangerd->request("calm-otter");
    request.on_stop = StopPolicy::Remove;
    ASSERT_TRUE(bangerd->create(request, AfterCreate::Leave).ok());
    EXPECT_EQ(restart().state("calm-otter"), VmState::Stopped);
}

TEST_F(VmRecoveryTest, AVmmThatCantBeSpokenToIsLeftAloneAndSaid)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    world.vmms.known = false;
    auto& next = restart();
    EXPECT_EQ(next.state("calm-otter"), VmState::Failed);
    EXPECT_THAT(next.vm("calm-otter")->record.reason, HasSubstr("end that process"));
    EXPECT_EQ(world.live_processes(), 1U);
}

TEST_F(VmRecoveryTest, AVmmThatCantBeSpokenToIsDoubledByNoStartKeepsItsDisksAndIsEndedByNothingButForce)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    world.vmms.known = false;
    auto& next = restart();
    for (const auto* asked : {"start", "restart", "stop", "lend", "change", "delete"}) {
        const auto outcome = ask(asked);
        EXPECT_EQ(outcome.code(), ErrorCode::WrongState) << asked << ": " << outcome.what();
    }
    EXPECT_EQ(next.state("calm-otter"), VmState::Failed);
    EXPECT_EQ(world.live_processes(), 1U);
    EXPECT_TRUE(next.remove("calm-otter", Force::Yes).ok());
    EXPECT_EQ(world.live_processes(), 0U) << "it would go on without its disks";
}

TEST_F(VmRecoveryTest, ABangerdThatFindsNoUnitsFindsVmsByTheirRows)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    auto passing = bangerd->request("brave-eel");
    passing.on_stop = StopPolicy::Remove;
    ASSERT_TRUE(bangerd->create(passing).ok());
    const auto pid = bangerd->vm("calm-otter")->record.process.pid;
    world.vmms.hidden = true;
    auto& next = restart();
    EXPECT_EQ(next.state("calm-otter"), VmState::Running);
    EXPECT_EQ(next.vm("calm-otter")->record.process.pid, pid);
    ASSERT_NE(next.vm("brave-eel"), nullptr) << "deleted while it runs";
    EXPECT_EQ(next.state("brave-eel"), VmState::Running);
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmThatCantBeTakenOverIsNoPreyOfADelete)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    bangerd.reset();
    bangerd = std::make_unique<Bangerd>(world);
    world.arm("process.find", Fault::Fail);
    EXPECT_TRUE(bangerd->recover().ok());
    EXPECT_EQ(bangerd->remove("calm-otter", Force::No).code(), ErrorCode::WrongState);
    EXPECT_EQ(world.live_processes(), 1U);
}

TEST_F(VmRecoveryTest, AVmThatCouldNotBeTakenOverIsByWhatIsAskedOfItNext)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    for (const auto* asked : {"start", "restart", "lend", "change", "stop"}) {
        bangerd.reset();
        bangerd = std::make_unique<Bangerd>(world);
        world.arm("process.find", Fault::Fail);
        EXPECT_TRUE(bangerd->recover().ok());
        ASSERT_FALSE(bangerd->vm("calm-otter")->running) << asked;
        const auto outcome = ask(asked);
        if (asked == std::string{"lend"} || asked == std::string{"change"}) {
            EXPECT_EQ(outcome.code(), ErrorCode::WrongState) << asked << ": " << outcome.what();
        } else {
            EXPECT_TRUE(outcome.ok()) << asked << ": " << outcome.what();
        }
        bangerd->settle();
        EXPECT_THAT(bangerd->faults(), IsEmpty()) << asked;
    }
    EXPECT_EQ(bangerd->state("calm-otter"), VmState::Stopped);
    EXPECT_EQ(world.live_processes(), 0U);
}

TEST_F(VmRecoveryTest, AVmThatGoesWhenItStopsAndWasMissedGoesWithWhatIsAskedOfItNext)
{
    auto request = bangerd->request("calm-otter");
    request.on_stop = StopPolicy::Remove;
    ASSERT_TRUE(bangerd->create(request).ok());
    const auto pid = bangerd->vm("calm-otter")->record.process.pid;
    bangerd.reset();
    world.end_process(pid, std::nullopt);
    bangerd = std::make_unique<Bangerd>(world);
    world.arm("process.find", Fault::Fail);
    EXPECT_TRUE(bangerd->recover().ok());
    const auto outcome = bangerd->stop("calm-otter");
    EXPECT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_THAT(bangerd->manager->list(), IsEmpty());
    EXPECT_THAT(bangerd->faults(), IsEmpty());
}

TEST_F(VmRecoveryTest, AVmThatCantBeTakenOverStopsNoOther)
{
    ASSERT_TRUE(bangerd->create("a").ok());
    ASSERT_TRUE(bangerd->create("b").ok());
    bangerd.reset();
    bangerd = std::make_unique<Bangerd>(world);
    world.arm("process.find", Fault::Fail);
    EXPECT_TRUE(bangerd->recover().ok());
    bangerd->settle();
    EXPECT_THAT(bangerd->log.front(), HasSubstr("a: can't be taken over"));
    EXPECT_EQ(bangerd->state("b"), VmState::Running);
    EXPECT_TRUE(bangerd->vm("b")->ready());
}

TEST_F(VmRecoveryTest, LeftoversOfAKilledBangerdGoAndWhatIsNotOursStays)
{
    ASSERT_TRUE(bangerd->create("calm-otter", AfterCreate::Leave).ok());
    const auto leftover = [&](const std::string& name) {
        std::filesystem::create_directories(world.vms() / name);
        std::ofstream{world.vms() / name / "root.img"} << "x";
    };
    leftover("abcdefghijkm");
    leftover("abcdefghijkn.removed");
    leftover("lost+found");
    leftover("my notes");
    restart();
    EXPECT_FALSE(std::filesystem::exists(world.vms() / "abcdefghijkm"));
    EXPECT_FALSE(std::filesystem::exists(world.vms() / "abcdefghijkn.removed"));
    EXPECT_TRUE(std::filesystem::exists(world.vms() / "lost+found/root.img"));
    EXPECT_TRUE(std::filesystem::exists(world.vms() / "my notes/root.img"));
    EXPECT_TRUE(std::filesystem::exists(bangerd->vm("calm-otter")->folder / "root.img"));
}

// A lost database

TEST_F(VmRecoveryTest, WithoutADatabaseVmsComeBackFromTheirFoldersAlsoThoseThatRun)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    ASSERT_TRUE(bangerd->create("brave-eel", AfterCreate::Leave).ok());
    const auto id = bangerd->vm("calm-otter")->record.id;
    world.rows.clear();
    auto& next = restart();
    ASSERT_EQ(next.manager->list().size(), 2U);
    EXPECT_EQ(next.vm("calm-otter")->record.id, id);
    EXPECT_EQ(next.state("calm-otter"), VmState::Running);
    EXPECT_TRUE(next.vm("calm-otter")->ready());
    EXPECT_EQ(next.vm("calm-otter")->record.address, "192.0.2.7");
    EXPECT_EQ(next.state("brave-eel"), VmState::Stopped);
    EXPECT_THAT(next.faults(), IsEmpty());
    EXPECT_TRUE(next.start("brave-eel").ok());
}

TEST_F(VmRecoveryTest, WithoutADatabaseDamagedFoldersArePassedOverAndKept)
{
    ASSERT_TRUE(bangerd->create("calm-otter", AfterCreate::Leave).ok());
    const auto folder = bangerd->vm("calm-otter")->folder;
    for (const std::string text : {"{ half", "[]", "{}", R"({"name": 7})", R"({"name": "../x"})", ""}) {
        world.rows.clear();
        std::ofstream{folder / "vm.json"} << text;
        EXPECT_THAT(restart().manager->list(), IsEmpty()) << text;
        EXPECT_TRUE(std::filesystem::exists(folder / "root.img")) << text;
    }
}

TEST_F(VmRecoveryTest, WithoutADatabaseOneNameGivesOneVm)
{
    ASSERT_TRUE(bangerd->create("calm-otter", AfterCreate::Leave).ok());
    const auto folder = bangerd->vm("calm-otter")->folder;
    std::filesystem::copy(folder, world.vms() / "aaaaaaaaaaaa", std::filesystem::copy_options::recursive);
    world.rows.clear();
    EXPECT_EQ(restart().manager->list().size(), 1U);
}

TEST_F(VmRecoveryTest, DamagedRunNotesMeanAVmThatCantBeSpokenTo)
{
    ASSERT_TRUE(bangerd->create("calm-otter").ok());
    std::ofstream{bangerd->vm("calm-otter")->folder / "run.json"} << R"({"vmm": 7, "network": []})";
    world.rows.clear();
    EXPECT_EQ(restart().state("calm-otter"), VmState::Failed);
}

// SIGKILL at each step of each operation, just before the step and just after it.

enum class Doing { Create, CreateStopped, CreateRemovable, Start, Stop, Delete, Restart };

class Killed : public ::testing::TestWithParam<std::tuple<Doing, Fault>> {
protected:
    VmRequest request(Bangerd& bangerd, Doing doing)
    {
        auto request = bangerd.request("calm-otter");
        request.on_stop = doing == Doing::CreateRemovable ? StopPolicy::Remove : StopPolicy::Keep;
        return request;
    }
    void prepare(Bangerd& bangerd, Doing doing)
    {
        if (doing == Doing::Start) {
            ASSERT_TRUE(bangerd.create("calm-otter", AfterCreate::Leave).ok());
        } else if (doing == Doing::Stop || doing == Doing::Delete || doing == Doing::Restart) {
            ASSERT_TRUE(bangerd.create("calm-otter").ok());
        }
    }
    Outcome act(Bangerd& bangerd, Doing doing)
    {
        switch (doing) {
            case Doing::Create:
            case Doing::CreateRemovable:
                return bangerd.create(request(bangerd, doing));
            case Doing::CreateStopped:
                return bangerd.create(request(bangerd, doing), AfterCreate::Leave);
            case Doing::Start:
                return bangerd.start("calm-otter");
            case Doing::Stop:
                return bangerd.stop("calm-otter");
            case Doing::Restart:
                return bangerd.restart("calm-otter");
            case Doing::Delete:
                return bangerd.remove("calm-otter", Force::Yes);
        }
        return {};
    }
    /// False when there is no such step.
    bool kill_at(int step, Doing doing, Fault fault)
    {
        World world;
        {
            Bangerd bangerd{world};
            prepare(bangerd, doing);
            world.arm(step, fault);
            act(bangerd, doing);
            if (world.fired().empty()) {
                return false;
            }
            EXPECT_TRUE(world.is_dead());
        }
        SCOPED_TRACE("at " + world.fired());
        check_next(world, doing);
        {
            Bangerd third{world};
            EXPECT_TRUE(third.recover().ok());
            const bool there = third.vm("calm-otter") != nullptr;
            EXPECT_TRUE(there ? third.start("calm-otter").ok() : third.create("calm-otter").ok());
            EXPECT_TRUE(third.stop("calm-otter").ok());
        }
        return true;
    }
    void check_next(World& world, Doing doing)
    {
        Bangerd next{world};
        const auto outcome = next.recover();
        EXPECT_TRUE(outcome.ok()) << outcome.what();
        next.settle();
        EXPECT_THAT(next.faults(), IsEmpty());
        EXPECT_THAT(next.log, IsEmpty());
        if (doing == Doing::Start || doing == Doing::Stop || doing == Doing::Restart) {
            EXPECT_NE(next.vm("calm-otter"), nullptr) << "a VM was lost";
        }
    }
};

TEST_P(Killed, BangerdLeavesNothingHalfMadeAndLosesNothing)
{
    const LeaksExpected leaks;
    const auto [doing, fault] = GetParam();
    int step = 1;
    while (kill_at(step, doing, fault)) {
        ++step;
    }
    EXPECT_GT(step, doing == Doing::Stop ? 2 : 3) << "the test has gone blind";
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, Killed,
                         ::testing::Combine(::testing::Values(Doing::Create, Doing::CreateStopped,
                                                              Doing::CreateRemovable, Doing::Start, Doing::Stop,
                                                              Doing::Delete, Doing::Restart),
                                            ::testing::Values(Fault::DieBefore, Fault::DieAfter)));

TEST_F(VmRecoveryTest, ABangerdKilledWhileItRecoversIsFollowedByOneThatDoes)
{
    const LeaksExpected leaks;
    ASSERT_TRUE(bangerd->create("a").ok());
    ASSERT_TRUE(bangerd->create("b", AfterCreate::Leave).ok());
    world.rows.at(bangerd->vm("b")->record.id.str()).state = VmState::Creating;
    for (int step = 1; step < 10; ++step) {
        bangerd.reset();
        bangerd = std::make_unique<Bangerd>(world);
        world.arm(step, step % 2 == 0 ? Fault::DieAfter : Fault::DieBefore);
        bangerd->recover();
    }
    auto& next = restart();
    EXPECT_EQ(next.state("a"), VmState::Running);
    EXPECT_EQ(next.vm("b"), nullptr);
    EXPECT_THAT(next.faults(), IsEmpty());
}

}  // namespace
}  // namespace banger::agent::test
