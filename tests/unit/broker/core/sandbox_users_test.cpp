// SPDX-License-Identifier: GPL-2.0-or-later
// A uid that is given to somebody else, and a user who gets another name.
#include "tests/unit/broker/core/operations.hpp"

namespace banger::broker::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SandboxUsersTest : public BrokerTest {
protected:
    /// As the gate finds it, and as reconciling does.
    std::vector<std::string> give_alices_uid_to(const std::string& name)
    {
        kernel.names_of_users[alice] = name;
        return sandboxes().know_user(alice, name);
    }
};

TEST_F(SandboxUsersTest, R32WhoIsStillTheSameChangesNothing)
{
    run(box, Nat::On);
    create(second);
    const auto before = all();
    kernel.revive();
    EXPECT_THAT(give_alices_uid_to("alice"), IsEmpty());
    EXPECT_EQ(kernel.steps(), 0) << "and costs nothing";
    EXPECT_EQ(all(), before);
}

TEST_F(SandboxUsersTest, R32AnHeirSeesAndGetsNothingOfTheFormerUsers)
{
    run(box, Nat::On);
    create(second);
    run(bobs);
    sandboxes().set_name(box, "web");
    const auto bobs_before = kernel.describe(bob);
    EXPECT_THAT(give_alices_uid_to("mallory"), ElementsAre(HasSubstr("1000-box of alice"), HasSubstr("of alice")));
    EXPECT_THAT(sandboxes().list(alice), IsEmpty());
    const std::vector<std::function<void()>> calls{[&] { start(second); },
                                                   [&] { sandboxes().stop(box); },
                                                   [&] { sandboxes().grow(box, 8 * gib); },
                                                   [&] { sandboxes().set_nat(box, Nat::On); },
                                                   [&] { sandboxes().check_name(box, "web"); },
                                                   [&] { sandboxes().set_name(box, ""); },
                                                   [&] { sandboxes().destroy(box, Force::No); },
                                                   [&] { sandboxes().begin_clone(box, key_of(alice, "copy")); }};
    for (const auto& call : calls) {
        EXPECT_EQ(error_of(call), ErrorCode::NotFound);
    }
    EXPECT_EQ(kernel.node(box), nullptr) << "its node would be the heir's to open";
    EXPECT_FALSE(has_link(box));
    EXPECT_FALSE(kernel.uplinks["eth0"].forwards);
    EXPECT_EQ(record(box).name, "");
    EXPECT_TRUE(kernel.files.contains("banger-1000-box"));
    EXPECT_EQ(kernel.describe(bob), bobs_before);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
    EXPECT_THAT(broker->reconciler.plan(), IsEmpty());
    EXPECT_THAT(give_alices_uid_to("mallory"), IsEmpty()) << "that was said";
}

TEST_F(SandboxUsersTest, R32WhatWasLeftCountsForTheMachineAndNotForTheHeir)
{
    config.user = {.sandboxes = 1, .bytes = 256 * mib, .calls = 1};
    config.all = {.sandboxes = 2, .bytes = 512 * mib, .calls = 1};
    restart();
    create(box);
    give_alices_uid_to("mallory");
    EXPECT_EQ(error_of([&] { create(box); }), ErrorCode::AlreadyExists) << "its file is there";
    create(second);
    EXPECT_EQ(record(second).user, "mallory");
    EXPECT_EQ(error_of([&] { create(bobs); }), ErrorCode::QuotaExceeded);
}

TEST_F(SandboxUsersTest, R32ARenamedUserHasEverythingAgainWithTheName)
{
    run(box, Nat::On);
    give_alices_uid_to("alicia");
    restart();
    EXPECT_THAT(sandboxes().list(alice), IsEmpty());
    EXPECT_THAT(give_alices_uid_to("alice"), ElementsAre(HasSubstr("there again")));
    EXPECT_THAT(sandboxes().list(alice), SizeIs(1));
    start(box);
    EXPECT_EQ(kernel.rules.at("banger-1000-box").nat, Nat::On);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxUsersTest, R32AnAdministratorSeesAndEndsWhatWasLeft)
{
    run(box);
    kernel.open_node(box);
    give_alices_uid_to("mallory");
    EXPECT_TRUE(kernel.node(box)->leaving);
    ASSERT_THAT(sandboxes().list(std::nullopt), SizeIs(1));
    EXPECT_EQ(sandboxes().list(std::nullopt).front().record.user, "alice");
    sandboxes().destroy(box, Force::Yes);
    EXPECT_THAT(kernel.texts, IsEmpty());
    EXPECT_THAT(kernel.files, IsEmpty());
}

TEST_F(SandboxUsersTest, R32WhatAFormerUserWasDestroyingIsDestroyed)
{
    run(box);
    auto half = record(box);
    half.phase = Phase::Destroying;
    broker->journal.save(half);
    give_alices_uid_to("mallory");
    EXPECT_THAT(kernel.texts, IsEmpty());
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxUsersTest, R32AFormerUsersCloneThatIsUnderWayIsNobodys)
{
    run(box);
    sandboxes().begin_clone(box, second);
    give_alices_uid_to("mallory");
    EXPECT_THAT(sandboxes().list(alice), IsEmpty());
    kernel.ports().files.clone(box, second);
    EXPECT_EQ(error_of([&] { sandboxes().end_clone(box, second, Copy::Whole); }), ErrorCode::NotFound);
    EXPECT_FALSE(kernel.files.contains("banger-1000-second"));
    EXPECT_EQ(kernel.node(box), nullptr);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(SandboxUsersTest, R32AJournalWithoutRoomLeavesNothingOpenToTheHeir)
{
    run(box, Nat::On);
    kernel.fail_at(1, ErrorCode::NoSpace);
    EXPECT_EQ(error_of([&] { give_alices_uid_to("mallory"); }), ErrorCode::NoSpace);
    EXPECT_EQ(kernel.node(box), nullptr);
    EXPECT_FALSE(has_link(box));
}

TEST_F(SandboxUsersTest, R32WhateverFailsTheHeirGetsNothingAndTheNextCallFinishes)
{
    int n = 1;
    for (; n < most_steps; ++n) {
        BrokerWorld world;
        world.run(world.box, Nat::On);
        world.run(world.bobs);
        world.kernel.names_of_users[alice] = "mallory";
        world.kernel.fail_at(n, ErrorCode::Failed);
        const auto error = error_of([&] { world.sandboxes().know_user(alice, "mallory"); });
        const auto fired = world.kernel.fired();
        if (fired.empty()) {
            break;
        }
        EXPECT_TRUE(error || world.sandboxes().list(alice).empty()) << n << ' ' << fired;
        world.kernel.revive();
        EXPECT_THAT(world.kernel.faults(), IsEmpty()) << n << ' ' << fired;
        world.sandboxes().know_user(alice, "mallory");
        EXPECT_THAT(world.sandboxes().list(alice), IsEmpty()) << n << ' ' << fired;
        EXPECT_EQ(world.kernel.node(world.box), nullptr) << n << ' ' << fired;
        EXPECT_THAT(world.kernel.leaks(), IsEmpty()) << n << ' ' << fired;
    }
    EXPECT_GT(n, 4);
    EXPECT_LT(n, most_steps);
}

TEST_F(SandboxUsersTest, R32ABrokerThatIsKilledMeanwhileIsFinishedByTheNext)
{
    int n = 1;
    for (; n < most_steps; ++n) {
        BrokerWorld world;
        world.run(world.box, Nat::On);
        world.run(world.bobs);
        world.kernel.names_of_users[alice] = "mallory";
        world.kernel.die_at(n);
        try {
            world.sandboxes().know_user(alice, "mallory");
        } catch (const Killed&) {
            EXPECT_TRUE(world.kernel.is_dead());
        }
        if (!world.kernel.is_dead()) {
            break;
        }
        const auto where = std::to_string(n) + " " + world.kernel.fired();
        EXPECT_THAT(world.kernel.faults(), IsEmpty()) << where;
        world.restart();
        EXPECT_THAT(world.problems, IsEmpty()) << where;
        EXPECT_THAT(world.sandboxes().list(alice), IsEmpty()) << where;
        EXPECT_EQ(world.kernel.node(world.box), nullptr) << where;
        EXPECT_THAT(world.kernel.leaks(), IsEmpty()) << where;
        EXPECT_TRUE(world.link(world.bobs).up) << where;
    }
    EXPECT_GT(n, 4);
    EXPECT_LT(n, most_steps);
}

TEST_F(SandboxUsersTest, ThoseOfAllAreKnown)
{
    create(box);
    create(second);
    create(bobs);
    EXPECT_THAT(sandboxes().uids(), ElementsAre(alice, bob));
}

}  // namespace
}  // namespace banger::broker::test
