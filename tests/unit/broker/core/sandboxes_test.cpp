// SPDX-License-Identifier: GPL-2.0-or-later
// Long because each member has its refusals, and each requirement its test.
#include "broker/core/sandboxes.hpp"

#include <poll.h>

#include "broker/core/growth.hpp"
#include "common/pipe.hpp"
#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SandboxesTest : public BrokerTest {};

TEST_F(SandboxesTest, ANewOneHasARecordAFileAndNothingElse)
{
    create(box);
    EXPECT_EQ(record(box).phase, Phase::Stopped);
    EXPECT_EQ(record(box).user, "alice");
    EXPECT_EQ(kernel.files.at("banger-1000-box").size, growth::step);
    EXPECT_EQ(kernel.node(box), nullptr);
    EXPECT_FALSE(has_link(box));
    EXPECT_EQ(kernel.loop_count(), 0U);
}

TEST_F(SandboxesTest, ASmallOneHasItsWholeFileAtOnce)
{
    create(box, 16 * mib);
    EXPECT_EQ(kernel.files.at("banger-1000-box").size, 16 * mib);
}

TEST_F(SandboxesTest, OneWithoutADiskHasNoFile)
{
    create_network(box);
    EXPECT_THAT(kernel.files, IsEmpty());
    const auto started = sandboxes().start(box, std::nullopt, Tap::Yes);
    EXPECT_EQ(started.disk, "");
    EXPECT_EQ(started.network->tap, "bgr0");
}

TEST_F(SandboxesTest, AnIdIsTakenOnceByItsUserAndFreeForOthers)
{
    create(box);
    EXPECT_EQ(error_of([&] { create(box); }), ErrorCode::AlreadyExists);
    create(bobs);
    EXPECT_EQ(record(bobs).user, "bob");
}

TEST_F(SandboxesTest, LimitAndDigestGoTogether)
{
    EXPECT_EQ(error_of([&] { sandboxes().create(box, "alice", digest, {}); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(error_of([&] { sandboxes().create(box, "alice", "", 1 * gib); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(error_of([&] { create(box, ByteSize{(16 * mib).bytes() - 1}); }), ErrorCode::InvalidArgument);
    EXPECT_THAT(kernel.texts, IsEmpty());
}

TEST_F(SandboxesTest, ALimitThatNoRecordCanHoldIsRefused)
{
    const ByteSize most{UINT64_MAX};
    EXPECT_EQ(error_of([&] { create(box, most); }), ErrorCode::InvalidArgument);
    create(bobs);
    EXPECT_EQ(error_of([&] { sandboxes().grow(bobs, ByteSize{std::uint64_t{1} << 63U}); }), ErrorCode::InvalidArgument);
    restart();
    EXPECT_THAT(problems, IsEmpty());
}

TEST_F(SandboxesTest, TheLargestLimitSurvivesARestart)
{
    const ByteSize most{INT64_MAX};
    create(box, most);
    restart();
    EXPECT_EQ(record(box).cow_limit, most);
}

TEST_F(SandboxesTest, AStartedOneHasEverythingAndItsOwnerLearnsWhere)
{
    create(box);
    const auto started = start(box);
    EXPECT_EQ(started.disk, "/dev/mapper/banger-1000-box");
    ASSERT_TRUE(started.network);
    EXPECT_EQ(started.network->tap, "bgr0");
    EXPECT_EQ(ipv4_text(started.network->guest), "10.213.0.2");
    EXPECT_EQ(ipv4_text(started.network->gateway), "10.213.0.1");
    EXPECT_EQ(mac_text(started.network->mac), "06:ba:0a:d5:00:02");
    EXPECT_EQ(kernel.loop_count(), 2U);
    EXPECT_TRUE(link(box).up);
    EXPECT_EQ(link(box).owner, alice);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxesTest, OneCanBeStartedWithoutANetwork)
{
    create(box);
    EXPECT_FALSE(start(box, Tap::No).network);
    EXPECT_FALSE(has_link(box));
    EXPECT_THAT(kernel.rules, IsEmpty());
}

TEST_F(SandboxesTest, OneThatRunsIsNotStartedAgain)
{
    run(box);
    const auto before = all();
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::WrongState);
    EXPECT_EQ(all(), before);
}

TEST_F(SandboxesTest, R30AnotherDigestThanAtCreationIsRefused)
{
    create(box);
    const auto before = all();
    EXPECT_EQ(error_of([&] { sandboxes().start(box, base_disk(other_digest), Tap::Yes); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(error_of([&] { sandboxes().start(box, std::nullopt, Tap::Yes); }), ErrorCode::InvalidArgument);
    create_network(second);
    EXPECT_EQ(error_of([&] { sandboxes().start(second, base_disk(), Tap::Yes); }), ErrorCode::InvalidArgument);
    sandboxes().destroy(second, Force::No);
    EXPECT_EQ(all(), before);
}

TEST_F(SandboxesTest, R30AnotherDigestIsRefusedAfterARestartAndOfACloneToo)
{
    create(box);
    clone(box, second);
    restart();
    for (const auto& key : {box, second}) {
        EXPECT_EQ(error_of([&] { sandboxes().start(key, base_disk(other_digest), Tap::Yes); }),
                  ErrorCode::InvalidArgument);
    }
}

TEST_F(SandboxesTest, R10AllNamesAreMadeOfUidAndId)
{
    run(box);
    EXPECT_THAT(kernel.nodes, Contains(::testing::Key("banger-1000-box")));
    EXPECT_EQ(kernel.links.at("bgr0").altname, "banger-1000-box");
    EXPECT_THAT(kernel.texts, Contains(::testing::Key("1000-box.toml")));
}

TEST_F(SandboxesTest, R18AStrangersNodeOfOurNameIsNotTouched)
{
    const auto foreign = key_of(alice, "foreign");
    create(foreign);
    const auto before = all();
    EXPECT_EQ(error_of([&] { start(foreign); }), ErrorCode::AlreadyExists);
    EXPECT_EQ(all(), before);
    sandboxes().destroy(foreign, Force::No);
    EXPECT_TRUE(kernel.nodes.contains("banger-1000-foreign"));
    EXPECT_EQ(kernel.loop_count(), 0U);
}

TEST_F(SandboxesTest, R18ASlotWhoseLinkIsAStrangersIsLeftOut)
{
    run(box);
    run(bobs);
    EXPECT_EQ(kernel.links.at("bgr2").altname, "banger-1001-box") << "bgr1 is a stranger's";
    sandboxes().destroy(bobs, Force::No);
    sandboxes().destroy(box, Force::No);
    EXPECT_THAT(kernel.links, SizeIs(1));
}

TEST_F(SandboxesTest, R18ALinkThatAStrangerMadeMeanwhileIsNotTouched)
{
    create(box);
    kernel.links["bgr0"] = {.whose = FakeKernel::Whose::Strangers};
    const auto before = all();
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::AlreadyExists);
    EXPECT_EQ(all(), before);
}

TEST_F(SandboxesTest, R21TwoUsersOverOneBaseShareNoLoopDevice)
{
    create(box);
    create(bobs);
    const auto base = base_disk();
    const auto copy = [&] { return BaseDisk{UniqueFd{::dup(base.file.get())}, base.size, base.digest}; };
    sandboxes().start(box, copy(), Tap::Yes);
    sandboxes().start(bobs, copy(), Tap::Yes);
    EXPECT_EQ(kernel.loop_count(), 4U);
    EXPECT_NE(kernel.node(box)->base, kernel.node(bobs)->base);
}

TEST_F(SandboxesTest, AStoppedOneKeepsFileAddressAndQuota)
{
    run(box);
    const auto slot = record(box).slot;
    sandboxes().stop(box);
    EXPECT_EQ(record(box).phase, Phase::Stopped);
    EXPECT_EQ(kernel.loop_count(), 0U);
    EXPECT_EQ(broker->quota.allocated(box), growth::step);
    EXPECT_EQ(start(box).network->tap, "bgr" + std::to_string(slot));
}

TEST_F(SandboxesTest, StoppingTwiceIsNoError)
{
    run(box);
    sandboxes().stop(box);
    sandboxes().stop(box);
    EXPECT_EQ(error_of([&] { sandboxes().stop(second); }), ErrorCode::NotFound);
}

TEST_F(SandboxesTest, OneWhoseDiskIsOpenIsNeitherStoppedNorDestroyed)
{
    run(box);
    kernel.open_node(box);
    const auto before = all();
    EXPECT_EQ(error_of([&] { sandboxes().stop(box); }), ErrorCode::InUse);
    EXPECT_EQ(error_of([&] { sandboxes().destroy(box, Force::No); }), ErrorCode::InUse);
    EXPECT_EQ(all(), before);
    kernel.close_node(box);
    sandboxes().stop(box);
}

TEST_F(SandboxesTest, AHeldOneThatIsToStopGoesOnSoThatItsVmCanEnd)
{
    create(box, 256 * mib);
    start(box);
    kernel.open_node(box);
    kernel.fill(box, 250 * mib);
    broker->caretaker.look_after();
    ASSERT_TRUE(kernel.node(box)->held);
    EXPECT_EQ(error_of([&] { sandboxes().stop(box); }), ErrorCode::InUse);
    EXPECT_FALSE(kernel.node(box)->held);
}

TEST_F(SandboxesTest, AForcedEndTakesAnOpenDiskWhenItIsClosed)
{
    run(box);
    kernel.open_node(box);
    sandboxes().destroy(box, Force::Yes);
    EXPECT_TRUE(kernel.node(box)->leaving);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
    EXPECT_THAT(broker->reconciler.plan(), IsEmpty()) << "it is on its way out";
    EXPECT_EQ(error_of([&] { create(box); }), ErrorCode::InUse) << "its name is not free yet";
    kernel.close_node(box);
    EXPECT_EQ(kernel.loop_count(), 0U);
    create(box);
}

TEST_F(SandboxesTest, OneWhoseDiskOfLastTimeIsStillOpenIsNotStarted)
{
    run(box);
    sandboxes().stop(box);
    start(box);
    kernel.open_node(box);
    kernel.ports().mapper.remove(box);  // as when it was opened in the moment before
    broker->reconciler.apply(broker->reconciler.plan());
    ASSERT_EQ(record(box).phase, Phase::Stopped);
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::InUse);
    kernel.close_node(box);
    start(box);
}

TEST_F(SandboxesTest, ADestroyedOneLeavesNothing)
{
    const auto before = kernel.describe();
    run(box, Nat::On);
    sandboxes().destroy(box, Force::No);
    EXPECT_EQ(kernel.describe(), before);
    EXPECT_EQ(broker->quota.allocated(box), ByteSize{});
}

TEST_F(SandboxesTest, OneWhoseFileIsNotThereIsDestroyedByAnAdministratorAlone)
{
    create(box);
    auto file = kernel.files.extract("banger-1000-box");
    const auto before = all();
    EXPECT_EQ(error_of([&] { sandboxes().destroy(box, Force::No); }), ErrorCode::HostLacks);
    EXPECT_EQ(all(), before);
    kernel.files.insert(std::move(file));
    sandboxes().destroy(box, Force::No);
    EXPECT_THAT(kernel.files, IsEmpty());
    create(box);
    kernel.files.clear();
    sandboxes().destroy(box, Force::Yes);
    EXPECT_THAT(kernel.texts, IsEmpty());
}

TEST_F(SandboxesTest, AHalfOneCanOnlyBeDestroyed)
{
    create(box);
    for (const auto phase : {Phase::Making, Phase::Destroying}) {
        auto half = record(box);
        half.phase = phase;
        broker->journal.save(half);
        EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::NotFound);
        EXPECT_EQ(error_of([&] { sandboxes().stop(box); }), ErrorCode::NotFound);
        EXPECT_EQ(error_of([&] { sandboxes().begin_clone(box, second); }), ErrorCode::NotFound);
        EXPECT_EQ(error_of([&] { create(box); }), ErrorCode::AlreadyExists);
        EXPECT_EQ(record(box).phase, phase);
    }
    sandboxes().destroy(box, Force::No);
    EXPECT_THAT(kernel.texts, IsEmpty());
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxesTest, ALimitGrowsAndNeverShrinks)
{
    create(box);
    sandboxes().grow(box, 8 * gib);
    EXPECT_EQ(error_of([&] { sandboxes().grow(box, 4 * gib); }), ErrorCode::InvalidArgument);
    create_network(second);
    EXPECT_EQ(error_of([&] { sandboxes().grow(second, 4 * gib); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(record(box).cow_limit, 8 * gib);
}

TEST_F(SandboxesTest, ForwardingIsOnWhileOneWithNatRunsAndThenAsItWas)
{
    kernel.uplinks["wlan0"] = {.forwards = true};
    run(box, Nat::On);
    EXPECT_TRUE(kernel.uplinks["eth0"].forwards);
    run(bobs, Nat::On);
    sandboxes().stop(box);
    EXPECT_TRUE(kernel.uplinks["eth0"].forwards);
    sandboxes().set_nat(bobs, Nat::Off);
    EXPECT_FALSE(kernel.uplinks["eth0"].forwards);
    EXPECT_TRUE(kernel.uplinks["wlan0"].forwards) << "that was on before";
}

TEST_F(SandboxesTest, OneIsCreatedWithItsNatWhereThatIsWanted)
{
    sandboxes().create(box, "alice", digest, 4 * gib, Nat::On);
    restart();
    EXPECT_EQ(record(box).nat, Nat::On);
    start(box);
    EXPECT_EQ(kernel.rules.at("banger-1000-box").nat, Nat::On);
    EXPECT_TRUE(kernel.uplinks["eth0"].forwards);
}

TEST_F(SandboxesTest, NatIsKeptOverStopAndStart)
{
    run(box, Nat::On);
    sandboxes().stop(box);
    EXPECT_FALSE(kernel.uplinks["eth0"].forwards);
    restart();
    start(box);
    EXPECT_EQ(kernel.rules.at("banger-1000-box").nat, Nat::On);
    EXPECT_TRUE(kernel.uplinks["eth0"].forwards);
}

TEST_F(SandboxesTest, R31ANameBelongsToOneAtATimeAndNobodyLearnsToWhom)
{
    run(box);
    run(bobs);
    sandboxes().set_name(box, "web");
    try {
        sandboxes().set_name(bobs, "web");
        ADD_FAILURE() << "it was taken twice";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::AlreadyExists);
        EXPECT_THAT(error.what(), ::testing::Not(::testing::AnyOf(HasSubstr("alice"), HasSubstr("1000"))));
    }
    sandboxes().set_name(box, "");
    sandboxes().set_name(bobs, "web");
    sandboxes().stop(bobs);
    sandboxes().set_name(box, "web");
}

TEST_F(SandboxesTest, R31ANamesServerIsKeptOpenForAsLongAsTheName)
{
    run(box);
    const auto publish = [&] {
        auto pipe = make_pipe("a name's server");
        sandboxes().set_name(box, "web", std::move(pipe.write));
        return std::move(pipe.read);
    };
    const auto is_open = [](const UniqueFd& other_end) {
        pollfd watch{other_end.get(), POLLIN, 0};
        return ::poll(&watch, 1, 0) == 0;
    };
    const auto first = publish();
    sandboxes().set_nat(box, Nat::On);
    EXPECT_TRUE(is_open(first));
    const auto next = publish();
    EXPECT_FALSE(is_open(first)) << "its owner's program is back, at another port";
    sandboxes().set_name(box, "");
    EXPECT_FALSE(is_open(next));
    const auto of_stopped = publish();
    sandboxes().stop(box);
    EXPECT_FALSE(is_open(of_stopped));
    start(box);
    const auto of_destroyed = publish();
    sandboxes().destroy(box, Force::No);
    EXPECT_FALSE(is_open(of_destroyed));
}

TEST_F(SandboxesTest, OnlyOneThatRunsWithANetworkHasAName)
{
    create(box);
    EXPECT_EQ(error_of([&] { sandboxes().check_name(box, "web"); }), ErrorCode::WrongState);
    start(box, Tap::No);
    EXPECT_EQ(error_of([&] { sandboxes().check_name(box, "web"); }), ErrorCode::WrongState);
}

TEST_F(SandboxesTest, ACloneHasTheFileAndNeitherNatNorName)
{
    run(box, Nat::On);
    sandboxes().set_name(box, "web");
    kernel.fill(box, 100 * mib);
    broker->caretaker.look_after();
    clone(box, second);
    EXPECT_EQ(kernel.files.at("banger-1000-second").size, 512 * mib);
    EXPECT_EQ(broker->quota.allocated(second), 512 * mib);
    EXPECT_EQ(record(second).phase, Phase::Stopped);
    EXPECT_EQ(record(second).nat, Nat::Off);
    EXPECT_EQ(record(second).name, "");
    EXPECT_NE(record(second).slot, record(box).slot);
    EXPECT_FALSE(kernel.node(box)->held);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxesTest, WhatIsBeingClonedCanNotBeChanged)
{
    run(box);
    sandboxes().begin_clone(box, second);
    for (const auto& key : {box, second}) {
        EXPECT_EQ(error_of([&] { sandboxes().stop(key); }), ErrorCode::InUse);
        EXPECT_EQ(error_of([&] { sandboxes().destroy(key, Force::Yes); }), ErrorCode::InUse);
        EXPECT_EQ(error_of([&] { sandboxes().grow(key, 8 * gib); }), ErrorCode::InUse);
        EXPECT_EQ(error_of([&] { sandboxes().begin_clone(key, key_of(alice, "third")); }), ErrorCode::InUse);
    }
    EXPECT_TRUE(kernel.node(box)->held);
}

TEST_F(SandboxesTest, ACaretakersRoundWhileAFileIsCopiedLeavesTheOriginalAlone)
{
    create(box, 256 * mib);
    start(box);
    kernel.fill(box, 250 * mib);
    broker->caretaker.look_after();
    ASSERT_TRUE(kernel.node(box)->held);
    sandboxes().grow(box, 1 * gib);
    sandboxes().begin_clone(box, second);
    broker->caretaker.look_after(sandboxes().being_cloned());
    EXPECT_TRUE(kernel.node(box)->held);
    kernel.ports().files.clone(box, second);
    sandboxes().end_clone(box, second, Copy::Whole);
    EXPECT_EQ(broker->quota.allocated(second), kernel.files.at("banger-1000-second").size);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxesTest, OneThatWasHeldBeforeItsCloneIsHeldAfterIt)
{
    create(box, 256 * mib);
    start(box);
    kernel.fill(box, 250 * mib);
    broker->caretaker.look_after();
    clone(box, second);
    EXPECT_TRUE(kernel.node(box)->held) << "it has no more room than before";
}

TEST_F(SandboxesTest, R23NobodySeesAnothersSandboxes)
{
    run(box);
    EXPECT_THAT(sandboxes().list(bob), IsEmpty());
    EXPECT_THAT(sandboxes().list(alice), SizeIs(1));
    EXPECT_THAT(sandboxes().list(std::nullopt), SizeIs(1));
}

TEST_F(SandboxesTest, R23AnothersSandboxIsNotFoundInTheSameWordsAsNone)
{
    const auto words = [&](auto&& call) {
        try {
            call();
        } catch (const Error& error) {
            return std::string{error_info(error.code()).dbus_name} + error.what();
        }
        return std::string{};
    };
    const auto all_words = [&] {
        return std::vector{words([&] { start(bobs); }),
                           words([&] { sandboxes().stop(bobs); }),
                           words([&] { sandboxes().grow(bobs, 1 * gib); }),
                           words([&] { sandboxes().set_nat(bobs, Nat::On); }),
                           words([&] { sandboxes().check_name(bobs, "web"); }),
                           words([&] { sandboxes().destroy(bobs, Force::No); }),
                           words([&] { sandboxes().begin_clone(bobs, key_of(bob, "copy")); })};
    };
    const auto none = all_words();
    run(box);
    EXPECT_EQ(all_words(), none);
    EXPECT_THAT(none, ::testing::Each(HasSubstr("NotFound")));
}

TEST_F(SandboxesTest, R16SandboxesAreCountedPerUserAndForAll)
{
    config.user.sandboxes = 2;
    config.all.sandboxes = 3;
    restart();
    create(box);
    create_network(second);
    const auto before = all();
    EXPECT_EQ(error_of([&] { create(key_of(alice, "third")); }), ErrorCode::QuotaExceeded);
    EXPECT_EQ(error_of([&] { clone(box, key_of(alice, "third")); }), ErrorCode::QuotaExceeded);
    EXPECT_EQ(all(), before);
    create(bobs);
    EXPECT_EQ(error_of([&] { create(key_of(bob, "more")); }), ErrorCode::QuotaExceeded);
    sandboxes().destroy(second, Force::No);
    create(key_of(bob, "more"));
}

TEST_F(SandboxesTest, R16BytesAreCountedBeforeTheyAreAllocated)
{
    config.user.bytes = 512 * mib;
    restart();
    create(box);
    clone(box, second);
    const auto steps = kernel.free_space;
    EXPECT_EQ(error_of([&] { create(key_of(alice, "third"), 16 * mib); }), ErrorCode::QuotaExceeded);
    EXPECT_EQ(error_of([&] { clone(box, key_of(alice, "third")); }), ErrorCode::QuotaExceeded);
    EXPECT_EQ(error_of([&] { sandboxes().grow(box, 8 * gib); }), ErrorCode::QuotaExceeded);
    EXPECT_EQ(kernel.free_space, steps);
    restart();
    EXPECT_EQ(error_of([&] { create(key_of(alice, "third"), 16 * mib); }), ErrorCode::QuotaExceeded)
        << "counted anew from the files";
    create_network(key_of(alice, "third"));
}

TEST_F(SandboxesTest, AddressesThatAreUsedUpAreAQuotaToo)
{
    config.pool = AddressPool::parse("10.1.0.0/28");
    restart();
    for (const auto* id : {"a", "b", "c"}) {
        create_network(key_of(alice, id));
    }
    EXPECT_EQ(error_of([&] { create_network(box); }), ErrorCode::QuotaExceeded) << "a stranger has the fourth";
}

TEST_F(SandboxesTest, AnAddressOutsideOfASmallerPoolIsNotUsed)
{
    for (int i = 0; i < 6; ++i) {
        create_network(key_of(alice, "n" + std::to_string(i)));
    }
    for (int i = 0; i < 4; ++i) {
        sandboxes().destroy(key_of(alice, "n" + std::to_string(i)), Force::No);
    }
    config.pool = AddressPool::parse("10.1.0.0/28");
    restart();
    const auto started = sandboxes().start(key_of(alice, "n5"), std::nullopt, Tap::Yes);
    EXPECT_EQ(started.network->guest >> 4U, config.pool.network >> 4U) << ipv4_text(started.network->guest);
}

TEST_F(SandboxesTest, AHostWithoutLoopDevicesSaysSo)
{
    create(box);
    kernel.loops_lacking = true;
    const auto before = all();
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::HostLacks);
    EXPECT_EQ(all(), before);
}

}  // namespace
}  // namespace banger::broker::test
