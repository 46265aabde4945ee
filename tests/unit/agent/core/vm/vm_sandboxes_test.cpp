// SPDX-License-Identifier: GPL-2.0-or-later
// VMs with what the broker gives: a copy-on-write root disk, a TAP, NAT; and a broker that refuses, fails, hangs, goes away or forgets.
// Long because each way to a disk or a network has its refusals, all over one fixture.
#include "agent/core/vm/vm_sandboxes.hpp"

#include "tests/unit/agent/core/vm/sandbox_world.hpp"

namespace banger::agent::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// The root disk

TEST_F(VmSandboxesTest, AVmHasADmSnapshotWhereTheBrokerAllowsItWithoutAsking)
{
    const auto outcome = bangerd->create("otter");
    ASSERT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_EQ(record().spec.storage, StorageChoice::DmSnapshot);
    EXPECT_EQ(bangerd->vmm.root_disk, world.root / "dm" / bangerd->sandbox_id("otter"))
        << "root.img led to the device before the VMM was started";
    EXPECT_EQ(bangerd->sandbox("otter")->limit, 16 * gib);
    EXPECT_EQ(*bangerd->sandbox("otter")->base, bangerd->images.artifact.digest);
    EXPECT_THAT(calls(), ElementsAre("create", "start")) << "and nothing twice";
    expect_well();
    ASSERT_TRUE(bangerd->stop("otter").ok());
    EXPECT_THAT(calls(), ElementsAre("stop"));
    expect_well();
    ASSERT_TRUE(bangerd->start("otter").ok());
    EXPECT_THAT(calls(), ElementsAre("start"));
    ASSERT_TRUE(bangerd->remove("otter", Force::Yes).ok());
    bangerd->settle();
    EXPECT_THAT(world.sandboxes, IsEmpty());
    expect_well();
}

TEST_F(VmSandboxesTest, AVmThatIsMadeAndNotStartedLeavesNothingInTheKernel)
{
    ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
    EXPECT_THAT(calls(), ElementsAre("create", "start", "stop"));
    EXPECT_FALSE(bangerd->sandbox("otter")->running);
    expect_well();
    EXPECT_TRUE(bangerd->start("otter").ok());
    expect_well();
}

TEST_F(VmSandboxesTest, AnImageThatWasReadAndIsDamagedKeepsNoVmFromStartingThatLiesOverIt)
{
    ASSERT_TRUE(bangerd->create("otter").ok());
    ASSERT_TRUE(bangerd->stop("otter").ok());
    bangerd->images.artifact.damaged = true;
    const auto outcome = bangerd->start("otter");
    EXPECT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_THROW(bangerd->create("badger"), Error);
    expect_well();
}

TEST_F(VmSandboxesTest, WithoutABrokerAllIsAsItWas)
{
    world.broker.there = false;
    ASSERT_TRUE(bangerd->create("otter").ok());
    EXPECT_EQ(record().spec.storage, StorageChoice::File);
    EXPECT_FALSE(record().sandbox);
    EXPECT_EQ(record().network, "user");
    EXPECT_THAT(bangerd->log, IsEmpty());
    expect_well();
    ASSERT_TRUE(bangerd->remove("otter", Force::Yes).ok());
    expect_well();
}

TEST_F(VmSandboxesTest, BangersOwnChoiceNeverAsksAndFallsBackToAFile)
{
    world.broker.allows = false;
    world.broker.user_says_yes = true;
    ASSERT_TRUE(bangerd->create("otter").ok());
    EXPECT_EQ(record().spec.storage, StorageChoice::File);
    EXPECT_THAT(calls(), Not(Contains(HasSubstr("asking"))));
    expect_well();
}

TEST_F(VmSandboxesTest, AHostThatCantHaveASnapshotGetsAFileAndKeepsNoSandbox)
{
    world.broker.lacks_for_disks = "no device-mapper";
    ASSERT_TRUE(bangerd->create("otter").ok());
    EXPECT_EQ(record().spec.storage, StorageChoice::File);
    EXPECT_THAT(world.sandboxes, IsEmpty());
    expect_well();
}

TEST_F(VmSandboxesTest, ADmSnapshotThatWasAskedForAndCantBeHadIsAnError)
{
    const auto request = with_storage(StorageChoice::DmSnapshot);
    world.broker.there = false;
    EXPECT_EQ(bangerd->create(request).code(), ErrorCode::HostLacks);
    expect_well();
    world.broker.there = true;
    world.broker.lacks_for_disks = "no device-mapper";
    EXPECT_EQ(bangerd->create(request).code(), ErrorCode::HostLacks);
    world.broker.lacks_for_disks.clear();
    world.broker.quota = 8 * gib;
    EXPECT_EQ(bangerd->create(request).code(), ErrorCode::QuotaExceeded);
    world.broker.allows = false;
    const auto refused = bangerd->create(request);
    EXPECT_EQ(refused.code(), ErrorCode::NotAuthorized);
    EXPECT_THAT(refused.what(), HasSubstr("group banger"));
    EXPECT_THAT(bangerd->manager->list(), IsEmpty());
    EXPECT_THAT(world.sandboxes, IsEmpty());
    world.broker.user_says_yes = true;
    world.broker.quota = 16 * gib;
    EXPECT_TRUE(bangerd->create(request).ok()) << "who asked for it may be asked";
    expect_well();
}

TEST_F(VmSandboxesTest, NatIsThereAlsoWhereTheDiskFellBackToAFile)
{
    world.broker.lacks_for_disks = "no device-mapper";
    ASSERT_TRUE(bangerd->create(nat()).ok());
    EXPECT_EQ(record().spec.storage, StorageChoice::File);
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::On);
    expect_well();
}

TEST_F(VmSandboxesTest, AFileIsAFileWhateverTheBrokerMayDo)
{
    ASSERT_TRUE(bangerd->create(with_storage(StorageChoice::File)).ok());
    EXPECT_THAT(calls(), IsEmpty());
    expect_well();
}

TEST_F(VmSandboxesTest, AStartIsTriedOnceMoreWhenTheBrokerGoesAwayInTheMiddle)
{
    for (const bool done : {false, true}) {
        ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
        world.broker.times_gone = 1;
        world.broker.gone_after = done;
        const auto outcome = bangerd->start("otter");
        EXPECT_TRUE(outcome.ok()) << outcome.what();
        expect_well();
        ASSERT_TRUE(bangerd->remove("otter", Force::Yes).ok());
    }
}

TEST_F(VmSandboxesTest, ABrokerThatGoesAwayTwiceIsToldAndTheVmIsWhole)
{
    ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
    world.broker.times_gone = 2;
    const auto outcome = bangerd->start("otter");
    EXPECT_EQ(outcome.code(), ErrorCode::Unavailable);
    EXPECT_THAT(outcome.what(), HasSubstr("twice"));
    EXPECT_EQ(bangerd->state("otter"), VmState::Failed);
    bangerd->settle();
    expect_well();
    EXPECT_TRUE(bangerd->start("otter").ok());
    expect_well();
}

TEST_F(VmSandboxesTest, ASnapshotNeverFallsBackToAFileOnceItIsThere)
{
    ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
    world.broker.there = false;
    EXPECT_EQ(bangerd->start("otter").code(), ErrorCode::HostLacks);
    EXPECT_EQ(record().spec.storage, StorageChoice::DmSnapshot);
    world.broker.there = true;
    EXPECT_TRUE(bangerd->start("otter").ok());
    expect_well();
}

TEST_F(VmSandboxesTest, ARunningVmGoesOnWithoutTheBrokerAndCanBeStoppedAndDeleted)
{
    ASSERT_TRUE(bangerd->create("otter").ok());
    world.broker.there = false;
    auto& next = restart();
    EXPECT_EQ(next.state("otter"), VmState::Running);
    EXPECT_TRUE(next.vm("otter")->ready());
    EXPECT_TRUE(next.stop("otter").ok());
    EXPECT_TRUE(next.remove("otter", Force::No).ok());
    EXPECT_THAT(next.manager->list(), IsEmpty());
    ASSERT_EQ(world.sandboxes.size(), 1U);
    world.broker.there = true;
    restart();
    EXPECT_THAT(world.sandboxes, IsEmpty()) << "the next bangerd removes what no VM has";
}

TEST_F(VmSandboxesTest, ADiskThatIsHeldAMomentIsWaitedFor)
{
    ASSERT_TRUE(bangerd->create("otter").ok());
    world.broker.times_in_use = 3;
    ASSERT_TRUE(bangerd->stop("otter").ok());
    EXPECT_THAT(bangerd->log, IsEmpty());
    expect_well();
    world.broker.times_in_use = 3;
    EXPECT_TRUE(bangerd->remove("otter", Force::No).ok());
    EXPECT_THAT(world.sandboxes, IsEmpty());
}

TEST_F(VmSandboxesTest, ADiskThatStaysHeldMakesADeleteFailThatCanBeRepeated)
{
    ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
    world.broker.times_in_use = 1000;
    EXPECT_EQ(bangerd->remove("otter", Force::No).code(), ErrorCode::InUse);
    EXPECT_NE(bangerd->vm("otter"), nullptr);
    world.broker.times_in_use = 0;
    EXPECT_TRUE(bangerd->remove("otter", Force::Yes).ok());
    EXPECT_THAT(world.sandboxes, IsEmpty());
    expect_well();
}

TEST_F(VmSandboxesTest, ARootDiskThatTheBrokerLostIsSaidToBeLost)
{
    ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
    world.sandboxes.clear();
    const auto outcome = bangerd->start("otter");
    EXPECT_EQ(outcome.code(), ErrorCode::NotFound);
    EXPECT_THAT(outcome.what(), HasSubstr("lost"));
    EXPECT_TRUE(bangerd->remove("otter", Force::No).ok());
    expect_well();
}

TEST_F(VmSandboxesTest, ACreateThatWaitsForPolkitIsCancelledAtOnceAndLeavesNothing)
{
    const LeaksExpected leaks;
    world.arm("broker.create", Fault::Hang);
    const auto operation = bangerd->operation("create");
    const auto vm = bangerd->manager->reserve(bangerd->manager->check(nat()), {});
    const auto making =
        bangerd->begin(bangerd->manager->make(vm, operation, AfterCreate::Start, std::chrono::seconds{3}));
    ASSERT_TRUE(bangerd->drive([&] { return !world.fired().empty(); }));
    operation->cancel();
    EXPECT_TRUE(bangerd->drive([&] { return making->ended; }));
    EXPECT_EQ(making->code(), ErrorCode::Cancelled);
    EXPECT_THAT(bangerd->manager->list(), IsEmpty());
}

// The overlay's size

TEST_F(VmSandboxesTest, AnOverlayGrowsWhileItsVmRunsAndNeverShrinks)
{
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.overlay = 2 * gib; })).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->limit, 2 * gib);
    EXPECT_TRUE(set({.overlay = 3 * gib}).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->limit, 3 * gib);
    EXPECT_EQ(world.rows.begin()->second.spec.overlay, 3 * gib);
    EXPECT_EQ(set({.overlay = 1 * gib}).code(), ErrorCode::InvalidArgument);
    world.broker.quota = 4 * gib;
    EXPECT_EQ(set({.overlay = 5 * gib}).code(), ErrorCode::QuotaExceeded);
    EXPECT_EQ(record().spec.overlay, 3 * gib);
    EXPECT_EQ(set({.vcpus = 2}).code(), ErrorCode::WrongState) << "that needs a stopped VM still";
    bangerd->settle();
    expect_well();
}

TEST_F(VmSandboxesTest, AFileHasNoOverlayToGrow)
{
    ASSERT_TRUE(bangerd->create(with_storage(StorageChoice::File)).ok());
    EXPECT_EQ(set({.overlay = 32 * gib}).code(), ErrorCode::InvalidArgument);
}

TEST_F(VmSandboxesTest, ADiskThatCantGrowIsWarnedOfUntilItCan)
{
    ASSERT_TRUE(bangerd->create("otter").ok());
    auto& sandbox = world.sandboxes.begin()->second;
    bangerd->broker.changed();
    EXPECT_EQ(warning(), "");
    sandbox.held = true;
    bangerd->broker.changed();
    EXPECT_THAT(warning(), HasSubstr("writes wait"));
    EXPECT_THAT(warning(), HasSubstr("banger vm set --system-overlay-size SIZE otter"));
    ASSERT_TRUE(set({.overlay = 20 * gib}).ok());
    EXPECT_EQ(warning(), "");
    sandbox.used = 19 * gib;
    bangerd->manager->housekeep();  // no signal came
    EXPECT_THAT(warning(), HasSubstr("nearly full"));
    restart();
    EXPECT_THAT(warning(), HasSubstr("nearly full")) << "and known to the next bangerd at once";
}

TEST_F(VmSandboxesTest, ADiskThatTheHostCouldNotWriteIsWarnedOf)
{
    ASSERT_TRUE(bangerd->create("otter").ok());
    world.sandboxes.begin()->second.broken = true;
    bangerd->broker.changed();
    EXPECT_THAT(warning(), HasSubstr("the host could not write the root disk"));
    EXPECT_THAT(warning(), HasSubstr("banger vm kill otter"));
}

// The network

TEST_F(VmSandboxesTest, WithNatAVmHasTheBrokersTap)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    EXPECT_EQ(record().network, "tap");
    EXPECT_EQ(record().address, "10.213.0.2");
    EXPECT_EQ(bangerd->ladder.network, NetworkChoice::Tap);
    EXPECT_EQ(bangerd->vmm.config->network.kind, VmmNetwork::Kind::Tap);
    EXPECT_EQ(bangerd->vmm.config->network.tap, "bgr7");
    EXPECT_EQ(bangerd->vmm.config->network.mac, "02:00:00:00:00:07");
    EXPECT_EQ(bangerd->vmm.config->network.namespace_holder, 0);
    const auto& network = bangerd->link("otter").settings().network;
    EXPECT_EQ(network.gateway, "10.213.0.1");
    EXPECT_EQ(network.prefix, 30U);
    EXPECT_THAT(network.dns, ElementsAre("192.0.2.53"));
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::On);
    constexpr auto published = "publish otter 10.213.0.1 10.213.0.2";
    EXPECT_THAT(calls(), ElementsAre("create nat asking", "start tap", "list", published)) << "one question";
    expect_well();
    ASSERT_TRUE(bangerd->restart("otter").ok());
    EXPECT_THAT(calls(), ElementsAre("stop", "start tap", "list", published)) << "no question is put twice";
    expect_well();
}

TEST_F(VmSandboxesTest, AnOlderBrokerGivesNatWhenItIsSwitchedOn)
{
    world.broker.is_first_version = true;
    ASSERT_TRUE(bangerd->create(nat()).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::On);
    expect_well();
}

TEST_F(VmSandboxesTest, TheHostFindsARunningVmByItsName)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->name, "otter");
    EXPECT_THAT(bangerd->broker.answered, ElementsAre("otter"));
    ASSERT_TRUE(bangerd->stop("otter").ok());
    bangerd->settle();
    EXPECT_THAT(bangerd->broker.answered, IsEmpty());
    EXPECT_EQ(bangerd->sandbox("otter")->name, "");
}

TEST_F(VmSandboxesTest, AHostThatRoutesNoNamesIsToldOfOnce)
{
    world.broker.routes_names = false;
    ASSERT_TRUE(bangerd->create(nat()).ok());
    EXPECT_EQ(bangerd->state("otter"), VmState::Running);
    calls();
    bangerd->broker.changed();
    bangerd->settle();
    EXPECT_THAT(calls(), ElementsAre("list"));
}

TEST_F(VmSandboxesTest, AutomaticNetworksStayUserModeBesideABroker)
{
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::Auto; })).ok());
    EXPECT_EQ(record().network, "user");
    EXPECT_FALSE(bangerd->sandbox("otter")->tap);
    expect_well();
}

TEST_F(VmSandboxesTest, ALikingForNatTakesTheTapWhereItCostsNoQuestion)
{
    const auto request = with([](VmRequest& r) {
        r.network = NetworkChoice::Auto;
        r.nat = Nat::On;
    });
    ASSERT_TRUE(bangerd->create(request).ok());
    EXPECT_EQ(record().network, "tap");
    expect_well();
    ASSERT_TRUE(bangerd->remove("otter", Force::Yes).ok());
    calls();
    world.broker.allows = false;
    world.broker.user_says_yes = true;
    ASSERT_TRUE(bangerd->create(request).ok());
    EXPECT_EQ(record().network, "user");
    EXPECT_THAT(record().reason, HasSubstr("user-mode"));
    EXPECT_THAT(calls(), Not(Contains(HasSubstr("asking"))));
    expect_well();
}

TEST_F(VmSandboxesTest, ATapThatWasAskedForAndIsRefusedIsAnErrorThatNamesTheGroup)
{
    world.broker.allows = false;
    for (const auto storage : {StorageChoice::Auto, StorageChoice::File}) {
        auto request = nat();
        request.storage = storage;
        const auto outcome = bangerd->create(request);
        EXPECT_EQ(outcome.code(), ErrorCode::NotAuthorized);
        EXPECT_THAT(outcome.what(), HasSubstr("group banger"));
        EXPECT_THAT(bangerd->manager->list(), IsEmpty());
    }
    EXPECT_THAT(calls(), ElementsAre("create nat asking", "destroy", "create nat asking", "destroy"))
        << "one question a VM";
    expect_well();
}

TEST_F(VmSandboxesTest, AVmWithAFileAndATapHasASandboxWithoutADisk)
{
    auto request = nat();
    request.storage = StorageChoice::File;
    ASSERT_TRUE(bangerd->create(request, AfterCreate::Leave).ok());
    EXPECT_FALSE(bangerd->sandbox("otter")->base);
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::On);
    ASSERT_TRUE(bangerd->start("otter").ok());
    EXPECT_EQ(record().network, "tap");
    expect_well();
    ASSERT_TRUE(bangerd->stop("otter").ok());
    expect_well();
    world.sandboxes.clear();
    const auto outcome = bangerd->start("otter");
    EXPECT_TRUE(outcome.ok()) << "a network that the broker forgot is made anew: " << outcome.what();
    expect_well();
}

TEST_F(VmSandboxesTest, NatIsSwitchedOnAndOffWhileItsVmRuns)
{
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::Tap; })).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::Off);
    ASSERT_TRUE(set({.nat = Nat::On}).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::On);
    EXPECT_EQ(world.rows.begin()->second.spec.nat, Nat::On);
    ASSERT_TRUE(set({.nat = Nat::Off}).ok());
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::Off);
    world.broker.allows = false;
    EXPECT_EQ(set({.nat = Nat::On}).code(), ErrorCode::NotAuthorized);
    EXPECT_EQ(record().spec.nat, Nat::Off);
    EXPECT_EQ(world.rows.begin()->second.spec.nat, Nat::Off);
    expect_well();
}

TEST_F(VmSandboxesTest, AQuestionOfPolkitsHoldsUpNoEndOfItsVm)
{
    const LeaksExpected leaks;
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::Tap; })).ok());
    const auto vm = bangerd->vm("otter");
    world.arm("broker.nat-on", Fault::Hang);
    const auto changing = bangerd->begin(bangerd->manager->change(vm, bangerd->operation("set"), {.nat = Nat::On}));
    ASSERT_TRUE(bangerd->drive([&] { return !world.fired().empty(); }));
    const auto stopped = bangerd->stop("otter");
    EXPECT_TRUE(stopped.ok()) << stopped.what();
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_EQ(vm->record.spec.nat, Nat::Off);
    ASSERT_TRUE(changing->ended);
    EXPECT_EQ(changing->code(), ErrorCode::Cancelled) << changing->what();
    const auto removed = bangerd->remove("otter", Force::No);
    EXPECT_TRUE(removed.ok()) << removed.what();
}

TEST_F(VmSandboxesTest, AQuestionOfPolkitsIsCalledOffByItsOperation)
{
    const LeaksExpected leaks;
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::Tap; })).ok());
    world.arm("broker.nat-on", Fault::Hang);
    const auto operation = bangerd->operation("set");
    const auto changing = bangerd->begin(bangerd->manager->change(bangerd->vm("otter"), operation, {.nat = Nat::On}));
    ASSERT_TRUE(bangerd->drive([&] { return !world.fired().empty(); }));
    operation->cancel();
    EXPECT_TRUE(bangerd->drive([&] { return changing->ended; }));
    EXPECT_EQ(changing->code(), ErrorCode::Cancelled) << changing->what();
    EXPECT_EQ(bangerd->state("otter"), VmState::Running);
    EXPECT_EQ(record().spec.nat, Nat::Off);
}

TEST_F(VmSandboxesTest, WhatWasCalledOffWhilePolkitAskedStaysOffWhateverIsAnsweredThen)
{
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::Tap; })).ok());
    const auto vm = bangerd->vm("otter");
    const auto overlay = bangerd->sandbox("otter")->limit;
    const Promise<Unit> answer;
    world.broker.answer = answer;
    const auto call_off = [this, &vm](VmChange change) {
        const auto operation = bangerd->operation("set");
        const auto changing = bangerd->begin(bangerd->manager->change(vm, operation, change));
        bangerd->settle();
        EXPECT_FALSE(changing->ended);
        operation->cancel();
        EXPECT_TRUE(bangerd->drive([&] { return changing->ended; }));
        EXPECT_EQ(changing->code(), ErrorCode::Cancelled) << changing->what();
    };
    call_off({.nat = Nat::On});
    call_off({.overlay = 2 * overlay.mib() * mib});  // it waits for the question's end
    ASSERT_TRUE(answer.is_awaited());
    answer.set(Unit{});
    bangerd->settle();
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::Off);
    EXPECT_EQ(record().sandbox_nat, Nat::Off);
    EXPECT_EQ(bangerd->sandbox("otter")->limit, overlay);
    expect_well();
}

TEST_F(VmSandboxesTest, AStartThatWaitsForPolkitIsEndedByAStop)
{
    const LeaksExpected leaks;
    auto request = nat();
    request.storage = StorageChoice::File;
    ASSERT_TRUE(bangerd->create(request, AfterCreate::Leave).ok());
    const auto vm = bangerd->vm("otter");
    world.sandboxes.clear();
    vm->record.sandbox = false;  // as a look at a broker says that has forgotten it
    world.arm("broker.create", Fault::Hang);
    const auto starting =
        bangerd->begin(bangerd->manager->start(vm, bangerd->operation("start"), std::chrono::seconds{3}));
    ASSERT_TRUE(bangerd->drive([&] { return !world.fired().empty(); }));
    const auto stopped = bangerd->stop("otter");
    EXPECT_TRUE(stopped.ok()) << stopped.what();
    ASSERT_TRUE(starting->ended);
    EXPECT_EQ(starting->code(), ErrorCode::Cancelled) << starting->what();
    EXPECT_EQ(vm->record.state, VmState::Stopped);
    EXPECT_EQ(world.live_processes(), 0U);
}

TEST_F(VmSandboxesTest, AStoppedVmWhoseNetworkWasLeftOpenGetsATapWithNat)
{
    world.broker.there = false;  // so its root disk is a file, and there is no sandbox
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::Auto; })).ok());
    EXPECT_EQ(set({.nat = Nat::On}).code(), ErrorCode::WrongState) << "it runs with another network";
    ASSERT_TRUE(bangerd->stop("otter").ok());
    EXPECT_EQ(set({.nat = Nat::On}).code(), ErrorCode::HostLacks);
    world.broker.there = true;
    const auto outcome = set({.nat = Nat::On});
    ASSERT_TRUE(outcome.ok()) << outcome.what();
    ASSERT_TRUE(bangerd->start("otter").ok());
    EXPECT_EQ(record().network, "tap");
    EXPECT_EQ(bangerd->sandbox("otter")->nat, Nat::On);
    expect_well();
}

TEST_F(VmSandboxesTest, NatWithoutATapIsRefused)
{
    auto request = nat();
    request.network = NetworkChoice::User;
    EXPECT_THROW(bangerd->manager->check(request), Error);
    ASSERT_TRUE(bangerd->create(with([](VmRequest& r) { r.network = NetworkChoice::None; })).ok());
    EXPECT_EQ(set({.nat = Nat::On}).code(), ErrorCode::InvalidArgument);
    EXPECT_TRUE(set({.nat = Nat::Off}).ok());
}

}  // namespace
}  // namespace banger::agent::test
