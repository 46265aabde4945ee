// SPDX-License-Identifier: GPL-2.0-or-later
// Long because whatever may be there without the rest has its test, and each death.
#include "broker/core/reconciler.hpp"

#include "tests/unit/broker/core/operations.hpp"

namespace banger::broker::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReconcilerTest : public BrokerTest {
protected:
    std::vector<std::string> plan()
    {
        std::vector<std::string> lines;
        for (const auto& repair : broker->reconciler.plan()) {
            lines.push_back(repair.to_string());
        }
        return lines;
    }
    void apply() { EXPECT_THAT(broker->reconciler.apply(broker->reconciler.plan()), IsEmpty()); }
    void expect_clean()
    {
        EXPECT_THAT(kernel.leaks(), IsEmpty());
        EXPECT_THAT(plan(), IsEmpty());
    }
    void expect_stop_of_box()
    {
        restart();
        EXPECT_EQ(record(box).phase, Phase::Stopped);
        expect_clean();
    }
};

TEST_F(ReconcilerTest, ARestartLeavesWhatRunsAsItIs)
{
    run(box, Nat::On);
    create(second);
    run(bobs);
    kernel.open_node(box);
    sandboxes().set_name(box, "web");
    const auto before = all();
    restart();
    EXPECT_EQ(all(), before);
    EXPECT_THAT(problems, IsEmpty());
}

TEST_F(ReconcilerTest, PlanningChangesNothing)
{
    run(box);
    kernel.names_of_users.erase(alice);
    const auto before = kernel.describe();
    EXPECT_THAT(plan(), SizeIs(1));
    EXPECT_EQ(kernel.describe(), before);
}

TEST_F(ReconcilerTest, ARebootLeavesAllStopped)
{
    run(box, Nat::On);
    run_network(second);
    kernel.nodes.clear();
    kernel.links.clear();
    kernel.rules.clear();
    kernel.uplinks["eth0"] = {};
    restart();
    EXPECT_EQ(record(box).phase, Phase::Stopped);
    EXPECT_EQ(record(second).phase, Phase::Stopped);
    expect_clean();
    start(box);
    expect_clean();
}

TEST_F(ReconcilerTest, R32AUserWhoIsGoneLosesAllSandboxesADayLater)
{
    run(box, Nat::On);
    create(second);
    run(bobs);
    const auto bobs_before = kernel.describe(bob);
    kernel.names_of_users.erase(alice);
    EXPECT_THAT(plan(), ElementsAre(HasSubstr("user alice is gone"), HasSubstr("user alice is gone")));
    apply();
    EXPECT_EQ(kernel.node(box), nullptr);
    EXPECT_FALSE(has_link(box));
    EXPECT_TRUE(kernel.files.contains("banger-1000-box")) << "it may be a mistake";
    expect_clean();
    kernel.now += Reconciler::grace - std::chrono::seconds{1};
    restart();
    EXPECT_TRUE(kernel.files.contains("banger-1000-box"));
    kernel.now += std::chrono::seconds{1};
    EXPECT_THAT(plan(), ElementsAre(HasSubstr("destroy"), HasSubstr("destroy")));
    apply();
    EXPECT_EQ(kernel.describe(alice).find("record"), std::string::npos);
    EXPECT_EQ(kernel.describe(alice).find("file"), std::string::npos);
    EXPECT_EQ(kernel.describe(bob), bobs_before);
    expect_clean();
}

TEST_F(ReconcilerTest, R32AUidThatIsAnotherUsersNowInheritsNothing)
{
    run(box);
    kernel.names_of_users[alice] = "mallory";
    restart();
    EXPECT_THAT(sandboxes().list(alice), IsEmpty());
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::NotFound);
    EXPECT_EQ(kernel.node(box), nullptr);
    expect_clean();
    kernel.now += Reconciler::grace;
    restart();
    EXPECT_FALSE(kernel.files.contains("banger-1000-box"));
    create(box);
    EXPECT_EQ(record(box).user, "mallory");
}

TEST_F(ReconcilerTest, R32AUserWhoIsThereAgainWithinADayHasLostNothing)
{
    run(box, Nat::On);
    kernel.names_of_users[alice] = "alicia";
    restart();
    kernel.users_unavailable = true;
    restart();
    EXPECT_THAT(sandboxes().list(alice), IsEmpty()) << "nobody has said who has the uid";
    kernel.users_unavailable = false;
    kernel.names_of_users[alice] = "alice";
    EXPECT_THAT(plan(), ElementsAre(HasSubstr("give back")));
    restart();
    EXPECT_THAT(sandboxes().list(alice), SizeIs(1));
    start(box);
    expect_clean();
    kernel.names_of_users[alice] = "alicia";
    kernel.now += Reconciler::grace;
    restart();
    EXPECT_TRUE(kernel.files.contains("banger-1000-box")) << "that day begins anew";
}

TEST_F(ReconcilerTest, R32ADayByAClockThatWentWrongIsNone)
{
    create(box);
    kernel.names_of_users.erase(alice);
    kernel.now += std::chrono::hours{24 * 365};
    restart();
    kernel.now -= std::chrono::hours{24 * 365};
    restart();
    expect_clean();
    kernel.now += Reconciler::grace - std::chrono::seconds{1};
    restart();
    EXPECT_TRUE(kernel.files.contains("banger-1000-box"));
    kernel.now += std::chrono::seconds{1};
    restart();
    EXPECT_THAT(kernel.files, IsEmpty());
}

TEST_F(ReconcilerTest, R32AGoneUsersOpenDiskGoesWhenItIsClosed)
{
    run(box);
    kernel.open_node(box);
    kernel.names_of_users.erase(alice);
    restart();
    EXPECT_FALSE(has_link(box));
    EXPECT_TRUE(kernel.node(box)->leaving);
    expect_clean();
    kernel.close_node(box);
    EXPECT_EQ(kernel.loop_count(), 0U);
}

TEST_F(ReconcilerTest, R32WhatIsNobodysGoesBeforeAnythingElse)
{
    run(bobs);
    kernel.names_of_users[1] = "daemon";
    const auto early = key_of(1, "a");
    run(early);
    kernel.lose_tap(early);
    kernel.nodes.erase("banger-1-a");  // bob's comes after it in order
    kernel.names_of_users.erase(bob);
    const auto repairs = broker->reconciler.plan();
    ASSERT_FALSE(repairs.empty());
    EXPECT_EQ(repairs.front().kind, Repair::Kind::PutAway);
    EXPECT_EQ(repairs.front().key, bobs);
}

TEST_F(ReconcilerTest, AUserDatabaseThatIsAwayHasRemovedNobody)
{
    run(box);
    kernel.users_unavailable = true;
    EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(ReconcilerTest, ANodeThatIsGoneStopsItsSandbox)
{
    run(box);
    kernel.nodes.erase("banger-1000-box");
    expect_stop_of_box();
}

TEST_F(ReconcilerTest, ATapThatIsGoneStopsASandboxOfANetworkAlone)
{
    run_network(box);
    kernel.lose_tap(box);
    expect_stop_of_box();
}

TEST_F(ReconcilerTest, FilesOfADiskThatIsMountedLateAreTheirRecordsAgain)
{
    create(box);
    create(second);
    const auto before = all();
    auto files = std::exchange(kernel.files, {});
    restart();
    EXPECT_THAT(plan(), IsEmpty());
    EXPECT_THAT(broker->reconciler.left_alone(),
                ElementsAre(HasSubstr("1000-box has a record"), HasSubstr("1000-second has a record")));
    EXPECT_EQ(broker->quota.allocated(box), ByteSize{});
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::HostLacks);
    restart();
    kernel.files = std::move(files);
    restart();
    EXPECT_EQ(all(), before);
    EXPECT_THAT(broker->reconciler.left_alone(), IsEmpty());
    start(box);
    expect_clean();
}

TEST_F(ReconcilerTest, FilesThatABackupBringsBeforeTheirRecordsAreKept)
{
    create(box);
    auto texts = std::exchange(kernel.texts, {});
    restart();
    EXPECT_THAT(plan(), IsEmpty());
    EXPECT_THAT(broker->reconciler.left_alone(), ElementsAre(HasSubstr("1000-box has a copy-on-write file")));
    EXPECT_EQ(error_of([&] { create(box); }), ErrorCode::AlreadyExists) << "whose it is nobody knows";
    EXPECT_EQ(error_of([&] { sandboxes().destroy(box, Force::Yes); }), ErrorCode::NotFound);
    kernel.texts = std::move(texts);
    restart();
    start(box);
    expect_clean();
}

TEST_F(ReconcilerTest, R32AGoneUsersRecordWaitsForItsFile)
{
    create(box);
    kernel.names_of_users.erase(alice);
    restart();
    kernel.now += Reconciler::grace;
    auto files = std::exchange(kernel.files, {});
    restart();
    EXPECT_THAT(kernel.texts, SizeIs(1)) << "else the file would be nobody's for good";
    kernel.files = std::move(files);
    restart();
    EXPECT_THAT(kernel.files, IsEmpty());
    EXPECT_THAT(kernel.texts, IsEmpty());
}

TEST_F(ReconcilerTest, StraysOfNoRecordGo)
{
    run(box);
    kernel.texts.clear();
    restart();
    EXPECT_TRUE(kernel.files.contains("banger-1000-box")) << "its record may come";
    EXPECT_EQ(kernel.node(box), nullptr);
    EXPECT_FALSE(has_link(box));
    EXPECT_THAT(kernel.rules, IsEmpty());
    EXPECT_TRUE(kernel.links.contains("bgr1"));
    EXPECT_TRUE(kernel.nodes.contains("banger-1000-foreign"));
}

TEST_F(ReconcilerTest, ADamagedRecordKeepsItsFileAndItsNode)
{
    run(box);
    kernel.texts["1000-box.toml"] = "uid = 1000\nid = \"b";
    restart();
    EXPECT_THAT(problems, ElementsAre(HasSubstr("1000-box.toml:2")));
    EXPECT_TRUE(kernel.files.contains("banger-1000-box"));
    EXPECT_NE(kernel.node(box), nullptr);
    EXPECT_EQ(error_of([&] { create(box); }), ErrorCode::AlreadyExists);
    EXPECT_EQ(kernel.texts["1000-box.toml"], "uid = 1000\nid = \"b");
}

TEST_F(ReconcilerTest, ATapWhoseRecordIsDamagedPassesNothingUnfiltered)
{
    run(box);
    kernel.texts["1000-box.toml"] = "uid = ";
    restart();
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(ReconcilerTest, ATapThatCouldNotBeTakenAwayPassesNothingUnfiltered)
{
    run(box);
    kernel.names_of_users.erase(alice);
    const auto repairs = broker->reconciler.plan();
    kernel.fail_at(2, ErrorCode::Failed);
    EXPECT_THAT(broker->reconciler.apply(repairs), SizeIs(1));
    ASSERT_EQ(kernel.fired(), "taps.remove");
    broker->journal.remove(box);
    broker->reconciler.apply({});
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(ReconcilerTest, ADiskThatWasHeldForADeadBrokerIsLeftToTheFirstRoundOfCare)
{
    create(box, 256 * mib);
    start(box);
    kernel.fill(box, 250 * mib);
    broker->caretaker.look_after();
    run(second);
    kernel.node(second)->held = true;  // for a clone
    restart();
    expect_clean();
    EXPECT_TRUE(kernel.node(box)->held) << "its room has not come back, and what waits would not fit";
    broker->caretaker.look_after();
    EXPECT_TRUE(kernel.node(box)->held);
    EXPECT_FALSE(kernel.node(second)->held);
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(ReconcilerTest, ARecordStoreThatCanNotBeReadForgetsNothing)
{
    run(box);
    kernel.fail_at(1, ErrorCode::Failed);
    EXPECT_EQ(error_of([&] { broker->journal.load(); }), ErrorCode::Failed);
    EXPECT_NE(broker->journal.find(box), nullptr) << "else its id is free for a new one over its file";
}

TEST_F(ReconcilerTest, R29FlushedRulesAreBackAtOnce)
{
    run(box, Nat::On);
    const auto before = kernel.describe();
    kernel.flush_firewall();
    EXPECT_THAT(broker->reconciler.mend_network(), ElementsAre(HasSubstr("changed")));
    EXPECT_EQ(kernel.describe(), before);
    EXPECT_THAT(broker->reconciler.mend_network(), IsEmpty());
}

TEST_F(ReconcilerTest, R29RulesThatCanNotBePutBackTakeAllNetworksDown)
{
    run(box);
    run(bobs);
    kernel.flush_firewall();
    kernel.fail_at(2, ErrorCode::Failed);  // is_whole, restore
    EXPECT_THAT(broker->reconciler.mend_network(), ElementsAre(HasSubstr("down")));
    EXPECT_FALSE(link(box).up);
    EXPECT_FALSE(link(bobs).up);
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(ReconcilerTest, R29RulesThatCanNotBeReadTakeAllNetworksDown)
{
    run(box);
    kernel.flush_firewall();
    kernel.fail_at(1, ErrorCode::Failed);
    broker->reconciler.mend_network();
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(ReconcilerTest, R29EachFailureWhileRulesAreFlushedIsClosed)
{
    for (int n = 1; n < most_steps; ++n) {
        BrokerWorld world;
        world.run(world.box, Nat::On);
        world.run(world.bobs);
        world.kernel.flush_firewall();
        world.kernel.fail_at(n, ErrorCode::Failed);
        world.broker->reconciler.mend_network();
        EXPECT_THAT(world.kernel.faults(), IsEmpty()) << n << ' ' << world.kernel.fired();
        if (world.kernel.fired().empty()) {
            EXPECT_GT(n, 3);
            break;
        }
    }
}

TEST_F(ReconcilerTest, R29NetworksThatWentDownAreUpWhenTheRulesAreBack)
{
    run(box);
    kernel.flush_firewall();
    kernel.fail_at(2, ErrorCode::Failed);
    broker->reconciler.mend_network();
    kernel.revive();
    broker->reconciler.mend_network();
    EXPECT_TRUE(link(box).up);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(ReconcilerTest, R15AUserWhoTakesItsOwnTapAwayHarmsNobodyElse)
{
    run(box);
    run(bobs);
    kernel.lose_tap(box);
    broker->reconciler.mend_network();
    EXPECT_TRUE(link(bobs).up);
    EXPECT_TRUE(kernel.rules.contains("banger-1001-box"));
    restart();
    EXPECT_TRUE(link(bobs).up);
    sandboxes().stop(box);
    expect_clean();
}

TEST_F(ReconcilerTest, ForwardingFollowsTheDefaultRoute)
{
    run(box, Nat::On);
    kernel.uplinks["eth0"].has_default_route = false;
    kernel.uplinks["wlan0"] = {};
    broker->reconciler.mend_network();
    EXPECT_FALSE(kernel.uplinks["eth0"].forwards);
    EXPECT_TRUE(kernel.uplinks["wlan0"].forwards);
}

TEST_F(ReconcilerTest, ForwardingThatADeadBrokerLeftIsPutBack)
{
    run(box, Nat::On);
    kernel.die_at(1);
    EXPECT_THROW(sandboxes().stop(box), Killed);
    kernel.nodes.erase("banger-1000-box");
    kernel.lose_tap(box);
    restart();
    EXPECT_FALSE(kernel.uplinks["eth0"].forwards);
}

class EachDeath : public ::testing::TestWithParam<Operation> {
protected:
    /// A world in which a broker died at step `n` of the operation; null when it has no such step.
    static std::unique_ptr<BrokerWorld> dead_at(int n)
    {
        auto world = std::make_unique<BrokerWorld>();
        world->run(world->bobs);
        GetParam().prepare(*world);
        world->kernel.die_at(n);
        try {
            GetParam().act(*world);
        } catch (const Killed&) {
            EXPECT_TRUE(world->kernel.is_dead());
        }
        return world->kernel.is_dead() ? std::move(world) : nullptr;
    }
    static void expect_clean(BrokerWorld& world, const std::string& where)
    {
        EXPECT_THAT(world.problems, IsEmpty()) << where;
        EXPECT_THAT(world.kernel.leaks(), IsEmpty()) << where;
        EXPECT_THAT(world.broker->reconciler.plan(), IsEmpty()) << where;
        EXPECT_TRUE(world.kernel.nodes.contains("banger-1000-foreign")) << where;
        EXPECT_TRUE(world.kernel.links.contains("bgr1")) << where;
    }
};

TEST_P(EachDeath, R17ABrokerThatIsKilledAtAnyStepLeavesNothingThatTheNextDoesNotReap)
{
    int n = 1;
    for (; n < most_steps; ++n) {
        const auto world = dead_at(n);
        if (!world) {
            break;
        }
        const auto where = std::to_string(n) + " " + world->kernel.fired();
        EXPECT_THAT(world->kernel.faults(), IsEmpty()) << "while no broker runs, " << where;
        world->restart();
        expect_clean(*world, where);
        EXPECT_NE(world->kernel.describe(bob).find("node"), std::string::npos) << where;
        EXPECT_TRUE(world->link(world->bobs).up) << where;
    }
    EXPECT_GT(n, 1);
    EXPECT_LT(n, most_steps);
}

TEST_P(EachDeath, R17ABrokerThatIsKilledWhileItReconcilesIsFinishedByTheNext)
{
    for (int n = 1; n < most_steps && dead_at(n); ++n) {
        int m = 1;
        for (; m < most_steps; ++m) {
            const auto world = dead_at(n);
            const auto where = std::to_string(n) + " " + world->kernel.fired() + ", then " + std::to_string(m);
            world->kernel.die_at(m);
            world->broker.emplace(world->kernel, world->config);
            try {
                world->broker->start();
            } catch (const Killed&) {
                EXPECT_TRUE(world->kernel.is_dead());
            }
            if (!world->kernel.is_dead()) {
                break;
            }
            EXPECT_THAT(world->kernel.faults(), IsEmpty()) << where << ' ' << world->kernel.fired();
            world->restart();
            expect_clean(*world, where);
        }
        EXPECT_GT(m, 1);
    }
}

TEST_P(EachDeath, R17AfterItTheOwnerCanBeginAnew)
{
    for (int n = 1; n < most_steps; ++n) {
        const auto world = dead_at(n);
        if (!world) {
            break;
        }
        world->restart();
        for (const auto& key : {world->box, world->second}) {
            if (world->broker->journal.find(key) != nullptr) {
                world->sandboxes().destroy(key, Sandboxes::Force::No);
            }
        }
        world->run(world->box, Nat::On);
        EXPECT_THAT(world->kernel.leaks(), IsEmpty()) << n;
    }
}

INSTANTIATE_TEST_SUITE_P(Broker, EachDeath, ::testing::ValuesIn(operations()), word_of);

}  // namespace
}  // namespace banger::broker::test
