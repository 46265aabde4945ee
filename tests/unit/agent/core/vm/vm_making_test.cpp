// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>

#include "agent/core/vm/vm_folder.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void expect_nothing(Bangerd& bangerd)
{
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

class VmMakingTest : public ::testing::Test {
protected:
    VmRequest bad(const std::function<void(VmRequest&)>& change)
    {
        auto request = bangerd.request("calm-otter");
        change(request);
        return request;
    }
    ErrorCode refusal(const VmRequest& request)
    {
        try {
            bangerd.manager->check(request);
        } catch (const Error& error) {
            sentence = error.what();
            return error.code();
        }
        ADD_FAILURE() << "it was taken";
        return ErrorCode::Internal;
    }

    World world;
    Bangerd bangerd{world};
    std::string sentence;
};

TEST_F(VmMakingTest, CreateMakesAVmAndWaitsForItsGuest)
{
    const auto outcome = bangerd.create("calm-otter");
    ASSERT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_TRUE(bangerd.vm("calm-otter")->ready());
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    EXPECT_EQ(world.rows.begin()->second.state, VmState::Running);
    EXPECT_EQ(world.rows.begin()->second.vmm, "fake");
    EXPECT_EQ(world.rows.begin()->second.address, "192.0.2.7");
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, HasSubstr("banger.hostname=calm-otter"));
    EXPECT_THAT(bangerd.link("calm-otter").settings().authorized_keys, ElementsAre("ssh-ed25519 AAAA test"));
}

TEST_F(VmMakingTest, CreateWithoutStartLeavesAStoppedVm)
{
    ASSERT_TRUE(bangerd.create("calm-otter", AfterCreate::Leave).ok());
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped);
    EXPECT_EQ(world.rows.begin()->second.state, VmState::Stopped);
    EXPECT_EQ(world.live_processes(), 0U);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmMakingTest, AGuestGetsWhatEachNewOneGetsOnceAlsoWhereItStartsLater)
{
    ASSERT_TRUE(bangerd.create("calm-otter").ok());
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter"));
    ASSERT_TRUE(bangerd.restart("calm-otter").ok());
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter"));
    ASSERT_TRUE(bangerd.create("later", AfterCreate::Leave).ok());
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter"));
    ASSERT_TRUE(bangerd.start("later").ok());
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter", "later"));
}

TEST_F(VmMakingTest, AWelcomeThatFailsIsToldAndTriedAgainAtTheNextStart)
{
    world.arm("welcome", Fault::Fail);
    EXPECT_FALSE(bangerd.create("calm-otter").ok());
    ASSERT_NE(bangerd.vm("calm-otter"), nullptr) << "the VM itself is whole";
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_THAT(bangerd.welcomed, IsEmpty());
    ASSERT_TRUE(bangerd.restart("calm-otter").ok());
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter"));
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, Not(HasSubstr("first-boot"))) << "the machine has lived";
}

TEST_F(VmMakingTest, AGuestThatIsReadyLateIsWelcomedThenAndHadItsFirstBoot)
{
    world.guests.get_ready = false;
    EXPECT_EQ(bangerd.create("calm-otter").code(), ErrorCode::TimedOut);
    EXPECT_THAT(bangerd.welcomed, IsEmpty());
    bangerd.link("calm-otter").say_ready();
    EXPECT_TRUE(bangerd.drive([&] { return !bangerd.welcomed.empty(); }));
    bangerd.settle();
    world.guests.get_ready = true;
    ASSERT_TRUE(bangerd.restart("calm-otter").ok());
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, Not(HasSubstr("first-boot")));
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter"));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmMakingTest, AGuestThatWasNeverReadyHasItsFirstBootAgain)
{
    world.guests.get_ready = false;
    EXPECT_EQ(bangerd.create("calm-otter").code(), ErrorCode::TimedOut);
    world.guests.get_ready = true;
    ASSERT_TRUE(bangerd.restart("calm-otter").ok());
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, HasSubstr("banger.first-boot=1"));
    EXPECT_THAT(bangerd.welcomed, ElementsAre("calm-otter"));
}

TEST_F(VmMakingTest, TheStatesOfACreateAreToldInOrder)
{
    bangerd.create("calm-otter");
    auto seen = bangerd.seen;
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    EXPECT_THAT(seen,
                ElementsAre("calm-otter creating", "calm-otter stopped", "calm-otter starting", "calm-otter running"));
}

TEST_F(VmMakingTest, TwoCreatesOfOneNameMakeOneVm)
{
    const auto first = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
    const auto making =
        bangerd.begin(bangerd.manager->make(first, bangerd.operation(), AfterCreate::Leave, std::chrono::seconds{1}));
    EXPECT_EQ(refusal(bangerd.request("calm-otter")), ErrorCode::AlreadyExists);
    EXPECT_TRUE(bangerd.drive([&] { return making->ended; }));
    EXPECT_FALSE(making->error);
    EXPECT_EQ(refusal(bangerd.request("calm-otter")), ErrorCode::AlreadyExists);
    EXPECT_THAT(sentence, HasSubstr("banger vm delete calm-otter"));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmMakingTest, ANameCheckedBeforeAnotherTookItIsRefusedAtReserve)
{
    auto spec = bangerd.manager->check(bangerd.request("calm-otter"));
    auto same = spec;
    bangerd.manager->reserve(std::move(spec), {});
    EXPECT_THROW(bangerd.manager->reserve(std::move(same), {}), Error);
    EXPECT_EQ(bangerd.manager->list().size(), 1U);
}

TEST_F(VmMakingTest, AVmWithoutANameGetsOneThatIsFree)
{
    auto request = bangerd.request("");
    request.name.reset();
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(bangerd.create(request, AfterCreate::Leave).ok());
    }
    EXPECT_EQ(bangerd.manager->list().size(), 50U);
}

TEST_F(VmMakingTest, RequestsAreCheckedAtTheirBounds)
{
    const auto good = [&](const std::function<void(VmRequest&)>& change) {
        EXPECT_NO_THROW(bangerd.manager->check(bad(change)));
    };
    good([](VmRequest& r) { r.vcpus = 4; });
    good([](VmRequest& r) { r.memory_mib = 128; });
    good([](VmRequest& r) { r.memory_mib = 1U << 20U; });
    good([](VmRequest& r) { r.disk = 64 * mib; });
    good([](VmRequest& r) { r.disk = 16 * 1024 * gib; });
    good([](VmRequest& r) { r.name = std::string(63, 'a'); });
    const auto wrong = [&](const std::function<void(VmRequest&)>& change) {
        EXPECT_EQ(refusal(bad(change)), ErrorCode::InvalidArgument) << sentence;
    };
    wrong([](VmRequest& r) { r.vcpus = 0; });
    wrong([](VmRequest& r) { r.vcpus = 5; });
    wrong([](VmRequest& r) { r.memory_mib = 127; });
    wrong([](VmRequest& r) { r.memory_mib = (1U << 20U) + 1; });
    wrong([](VmRequest& r) { r.disk = ByteSize{(64 * mib).bytes() - 1}; });
    wrong([](VmRequest& r) { r.disk = ByteSize{(16 * 1024 * gib).bytes() + 1}; });
    for (const auto* name : {"", "../x", "a/b", "UPPER", "-a", "a-", "a.b", "a b"}) {
        wrong([&](VmRequest& r) { r.name = name; });
    }
    wrong([](VmRequest& r) { r.name = std::string(64, 'a'); });
}

TEST_F(VmMakingTest, AnUnknownImageOrKernelIsNotFoundAndSaysWhatMakesIt)
{
    EXPECT_EQ(refusal(bad([](VmRequest& r) { r.image = "nope\x01"; })), ErrorCode::NotFound);
    EXPECT_THAT(sentence, HasSubstr("\"nope?\""));
    bangerd.images.missing = true;
    EXPECT_EQ(refusal(bangerd.request("calm-otter")), ErrorCode::NotFound);
    EXPECT_THAT(sentence, HasSubstr("banger image build"));
    bangerd.images.missing = false;
    bangerd.kernels.missing = true;
    EXPECT_EQ(refusal(bangerd.request("calm-otter")), ErrorCode::NotFound);
    EXPECT_THAT(sentence, HasSubstr("banger kernel import"));
}

TEST_F(VmMakingTest, AChangedImageOrKernelIsNotTaken)
{
    bangerd.images.damaged = true;
    EXPECT_EQ(refusal(bangerd.request("calm-otter")), ErrorCode::CorruptData);
    bangerd.images.damaged = false;
    bangerd.kernels.damaged = true;
    EXPECT_EQ(refusal(bangerd.request("calm-otter")), ErrorCode::CorruptData);
}

TEST_F(VmMakingTest, AnImageThatGoesAfterTheCheckLeavesNothing)
{
    const auto vm = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
    bangerd.images.missing = true;
    const auto outcome =
        bangerd.run(bangerd.manager->make(vm, bangerd.operation(), AfterCreate::Start, std::chrono::seconds{1}));
    EXPECT_EQ(outcome.code(), ErrorCode::NotFound);
    expect_nothing(bangerd);
}

/// For each step of a create: it fails there, and what is left is nothing, or a whole VM.
class FailingStep : public ::testing::TestWithParam<ErrorCode> {
protected:
    /// False when a create has no such step.
    static bool fail_at(int step, ErrorCode code)
    {
        World world;
        Bangerd bangerd{world};
        world.arm(step, Fault::Fail, code);
        const auto outcome = bangerd.create("calm-otter");
        const auto where = world.fired();
        SCOPED_TRACE("at " + where);
        EXPECT_TRUE(outcome.ended);
        EXPECT_THAT(bangerd.faults(), IsEmpty());
        if (outcome.error && code != ErrorCode::Failed) {
            EXPECT_EQ(outcome.code(), code) << outcome.what();
            EXPECT_THAT(bangerd.manager->list(), IsEmpty());
        }
        // The name is free again, or its VM is of use.
        const auto vm = bangerd.vm("calm-otter");
        const auto again = vm ? bangerd.start("calm-otter") : bangerd.create("calm-otter");
        EXPECT_TRUE(again.ok()) << again.what();
        EXPECT_THAT(bangerd.faults(), IsEmpty());
        return !where.empty();
    }
};

TEST_P(FailingStep, OfACreateLeavesNothingHalfMade)
{
    int step = 1;
    while (fail_at(step, GetParam())) {
        ++step;
    }
    EXPECT_GT(step, 12) << "the test has gone blind";
}

INSTANTIATE_TEST_SUITE_P(WithEachCode, FailingStep,
                         ::testing::Values(ErrorCode::NoSpace, ErrorCode::HostLacks, ErrorCode::Failed));

/// In each stage of a create: the client cancels while it hangs there.
class CancelledStage : public ::testing::TestWithParam<const char*> {};

TEST_P(CancelledStage, OfACreateLeavesNothing)
{
    World world;
    Bangerd bangerd{world};
    world.guests.get_ready = std::string{GetParam()} != "booting";
    const auto operation = bangerd.operation("create");
    const auto vm = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
    operation->observe([&](const Operation& of, Operation::Change) {
        if (of.stage() == GetParam()) {
            operation->cancel();
        }
    });
    const auto outcome = bangerd.run(bangerd.manager->make(vm, operation, AfterCreate::Start, std::chrono::seconds{3}));
    EXPECT_EQ(outcome.code(), ErrorCode::Cancelled) << outcome.what();
    expect_nothing(bangerd);
}

INSTANTIATE_TEST_SUITE_P(Each, CancelledStage,
                         ::testing::Values("writing the record", "making the disks", "choosing a VMM",
                                           "connecting the network", "starting fake", "booting"));

TEST_F(VmMakingTest, AGuestThatNeverGetsReadyIsKeptAndItsConsoleIsShown)
{
    world.guests.get_ready = false;
    const auto vm = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
    const auto making = bangerd.begin(
        bangerd.manager->make(vm, bangerd.operation(), AfterCreate::Start, std::chrono::milliseconds{150}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->running != nullptr; }));
    std::filesystem::remove(vm->folder / vm_folder::qemu_log);
    std::ofstream{vm->folder / "console.log"} << "Kernel panic - not syncing: \xff\xfe no init\x1b[0m\n";
    ASSERT_TRUE(bangerd.drive([&] { return making->ended; }));
    EXPECT_EQ(making->code(), ErrorCode::TimedOut);
    EXPECT_THAT(making->what(), HasSubstr("Kernel panic - not syncing: ?? no init?[0m"));
    EXPECT_THAT(making->what(), HasSubstr("banger vm logs calm-otter"));
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_FALSE(vm->ready());
    EXPECT_THAT(vm->record.reason, HasSubstr("did not get ready"));
    EXPECT_THAT(bangerd.faults(), IsEmpty());

    bangerd.link("calm-otter").say_ready();
    EXPECT_TRUE(bangerd.drive([&] { return vm->ready(); })) << "late is better than never";
    EXPECT_EQ(vm->record.reason, "");
}

TEST_F(VmMakingTest, AGuestThatResetsBeforeItIsReadyIsNotStartedOverAndOver)
{
    world.guests.end_early = GuestEnd::Reset;
    const auto outcome = bangerd.create("calm-otter");
    EXPECT_EQ(outcome.code(), ErrorCode::Failed);
    EXPECT_THAT(outcome.what(), HasSubstr("reset before it was ready"));
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Failed) << "kept for a look";
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmMakingTest, AVmmThatCrashesAtOnceFailsTheCreateWithTheEndOfItsLog)
{
    world.guests.crash_early = true;
    const auto outcome = bangerd.create("calm-otter");
    EXPECT_EQ(outcome.code(), ErrorCode::Failed);
    EXPECT_THAT(outcome.what(), HasSubstr("the fake VMM"));
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Failed);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmMakingTest, AHangingDiskStopsNoOtherVm)
{
    const LeaksExpected leaks;
    world.arm("disks.root", Fault::Hang);
    const auto stuck = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("stuck")), {});
    const auto making =
        bangerd.begin(bangerd.manager->make(stuck, bangerd.operation(), AfterCreate::Start, std::chrono::seconds{1}));
    ASSERT_TRUE(bangerd.drive([&] { return !world.fired().empty(); }));
    EXPECT_TRUE(bangerd.create("calm-otter").ok());
    EXPECT_FALSE(making->ended);
}

TEST_F(VmMakingTest, AVmBeingMadeIsNotDeletedWithoutForce)
{
    const auto vm = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
    const auto making =
        bangerd.begin(bangerd.manager->make(vm, bangerd.operation(), AfterCreate::Start, std::chrono::seconds{1}));
    EXPECT_EQ(bangerd.remove("calm-otter", Force::No).code(), ErrorCode::WrongState);
    EXPECT_TRUE(bangerd.drive([&] { return making->ended; }));
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
}

TEST_F(VmMakingTest, ADeleteByForceEndsAMakingInEachStage)
{
    for (const std::string stage : {"writing the record", "making the disks", "choosing a VMM",
                                    "connecting the network", "starting fake", "booting"}) {
        SCOPED_TRACE(stage);
        world.guests.get_ready = stage != "booting";
        const auto vm = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
        const auto operation = bangerd.operation();
        std::shared_ptr<Outcome> deleting;
        operation->observe([&](const Operation& of, Operation::Change) {
            if (of.stage() == stage && !deleting) {
                deleting = bangerd.begin(bangerd.manager->remove(vm, bangerd.operation(), Force::Yes));
            }
        });
        const auto made =
            bangerd.run(bangerd.manager->make(vm, operation, AfterCreate::Start, std::chrono::seconds{3}));
        EXPECT_EQ(made.code(), ErrorCode::Cancelled) << made.what();
        ASSERT_TRUE(bangerd.drive([&] { return deleting && deleting->ended; }));
        EXPECT_TRUE(deleting->ok()) << deleting->what();
        expect_nothing(bangerd);
    }
}

TEST_F(VmMakingTest, AStopFromElsewhereEndsTheFirstStartAndKeepsTheVm)
{
    world.guests.get_ready = false;
    const auto vm = bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), {});
    const auto making =
        bangerd.begin(bangerd.manager->make(vm, bangerd.operation(), AfterCreate::Start, std::chrono::seconds{3}));
    ASSERT_TRUE(bangerd.drive([&] { return vm->running != nullptr; }));
    EXPECT_TRUE(bangerd.stop("calm-otter").ok());
    ASSERT_TRUE(bangerd.drive([&] { return making->ended; }));
    EXPECT_EQ(making->code(), ErrorCode::Cancelled);
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

// Leases.

struct Lease {
    Lease()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        ours.reset(ends[0]);
        client.reset(ends[1]);
    }
    UniqueFd ours;
    UniqueFd client;
};

TEST_F(VmMakingTest, ALeaseThatEndsRemovesAVmThatIsRemovedOnStop)
{
    Lease lease;
    const auto request = bad([](VmRequest& r) { r.on_stop = StopPolicy::Remove; });
    ASSERT_TRUE(bangerd.create(request, AfterCreate::Start, std::move(lease.ours)).ok());
    bangerd.settle();
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    lease.client.reset();
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.manager->list().empty(); }));
    expect_nothing(bangerd);
}

TEST_F(VmMakingTest, ALeaseThatEndsKillsAVmThatIsKept)
{
    Lease lease;
    ASSERT_TRUE(bangerd.create(bangerd.request("calm-otter"), AfterCreate::Start, std::move(lease.ours)).ok());
    lease.client.reset();
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.state("calm-otter") == VmState::Stopped; }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmMakingTest, ALeaseThatEndsWhileTheVmIsMadeLeavesNothing)
{
    for (const auto policy : {StopPolicy::Keep, StopPolicy::Remove}) {
        for (const std::string stage :
             {"writing the record", "making the disks", "connecting the network", "booting"}) {
            SCOPED_TRACE(stage);
            Lease lease;
            world.guests.get_ready = stage != "booting";
            auto request = bangerd.request("calm-otter");
            request.on_stop = policy;
            const auto vm = bangerd.manager->reserve(bangerd.manager->check(request), std::move(lease.ours));
            const auto operation = bangerd.operation();
            operation->observe([&](const Operation& of, Operation::Change) {
                if (of.stage() == stage) {
                    lease.client.reset();
                }
            });
            const auto making =
                bangerd.begin(bangerd.manager->make(vm, operation, AfterCreate::Start, std::chrono::seconds{3}));
            // When the end of the lease is seen only after the guest got ready, a VM that is kept is killed, but kept.
            const auto settled = [&] {
                const auto left = bangerd.vm("calm-otter");
                return !left ||
                       (policy == StopPolicy::Keep && left->record.state == VmState::Stopped && !making->error);
            };
            ASSERT_TRUE(bangerd.drive([&] { return making->ended && settled(); }))
                << making->what() << " " << (bangerd.vm("calm-otter") ? to_string(bangerd.state("calm-otter")) : "");
            if (bangerd.vm("calm-otter")) {
                EXPECT_TRUE(bangerd.remove("calm-otter", Force::No).ok());
            }
            expect_nothing(bangerd);
        }
    }
}

TEST_F(VmMakingTest, ALeaseThatCantBeWatchedIsRefused)
{
    UniqueFd file{::open((world.root / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    try {
        bangerd.manager->reserve(bangerd.manager->check(bangerd.request("calm-otter")), std::move(file));
        FAIL() << "a regular file never ends";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    }
    expect_nothing(bangerd);
}

}  // namespace
}  // namespace banger::agent::test
