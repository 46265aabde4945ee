// SPDX-License-Identifier: GPL-2.0-or-later
// Whatever fails while a sandbox is put together or taken apart.
#include "broker/core/assembly.hpp"

#include "tests/unit/broker/core/operations.hpp"

namespace banger::broker::test {
namespace {

using ::testing::IsEmpty;

class AssemblyTest : public BrokerTest {};

TEST_F(AssemblyTest, WithoutNftablesASandboxWithADiskAloneComesAndGoes)
{
    kernel.firewall_fails = ErrorCode::HostLacks;
    create(box);
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::HostLacks);
    EXPECT_EQ(kernel.node(box), nullptr);
    EXPECT_FALSE(has_link(box));
    start(box, Tap::No);
    sandboxes().stop(box);
    start(box, Tap::No);
    sandboxes().destroy(box, Force::No);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

TEST_F(AssemblyTest, AFirewallThatFailsKeepsNoDisk)
{
    create(box);
    run(second);
    kernel.firewall_fails = ErrorCode::Failed;
    EXPECT_EQ(error_of([&] { start(box); }), ErrorCode::Failed);
    EXPECT_EQ(error_of([&] { sandboxes().stop(second); }), ErrorCode::Failed) << "its rules are there";
    for (const auto& key : {box, second}) {
        EXPECT_EQ(kernel.node(key), nullptr) << key.str();
        EXPECT_FALSE(has_link(key)) << key.str();
    }
    kernel.firewall_fails.reset();
    sandboxes().stop(second);
    EXPECT_THAT(kernel.leaks(), IsEmpty());
}

class EachOperation : public ::testing::TestWithParam<Operation> {
protected:
    using Kind = Operation::Kind;
    /// Fails the operation at its step `n`; false when it has no such step.
    bool fails_well(int n, ErrorCode code)
    {
        BrokerWorld world;
        world.run(world.bobs);
        GetParam().prepare(world);
        const auto before = world.all();
        const auto bobs_before = world.kernel.describe(bob);
        world.kernel.fail_at(n, code);
        const auto error = error_of([&] { GetParam().act(world); });
        const auto where =
            std::to_string(n) + " " + world.kernel.fired() + " " + std::string{error_info(code).dbus_name};
        if (world.kernel.fired().empty()) {
            EXPECT_EQ(error, std::nullopt);
            return false;
        }
        world.kernel.revive();
        world.broker->caretaker.look_after();  // lets go on what could not be let go on
        EXPECT_THAT(world.kernel.faults(), IsEmpty()) << where;
        EXPECT_EQ(world.kernel.describe(bob), bobs_before) << where;
        EXPECT_EQ(error, code) << where;
        if (GetParam().kind == Kind::Makes) {
            EXPECT_EQ(world.all(), before) << where;
        }
        EXPECT_EQ(error_of([&] { GetParam().act(world); }), std::nullopt) << "the next try, after " << where;
        EXPECT_THAT(world.kernel.leaks(), IsEmpty()) << where;
        EXPECT_THAT(world.broker->reconciler.plan(), IsEmpty()) << where;
        return true;
    }
};

TEST_P(EachOperation, ThatFailsAtAnyStepHasDoneNothingOrIsFinishedByTheNextTry)
{
    for (const auto code : {ErrorCode::NoSpace, ErrorCode::Failed}) {
        int n = 1;
        while (n < most_steps && fails_well(n, code)) {
            ++n;
        }
        EXPECT_GT(n, 1) << "no step was tried";
        EXPECT_LT(n, most_steps);
    }
}

TEST_P(EachOperation, ThatFailsAtAnyStepLeavesNothingForTheNextBroker)
{
    for (int n = 1; n < most_steps; ++n) {
        BrokerWorld world;
        world.run(world.bobs);
        GetParam().prepare(world);
        const auto bobs_before = world.kernel.describe(bob);
        world.kernel.fail_at(n, ErrorCode::Failed);
        error_of([&] { GetParam().act(world); });
        if (world.kernel.fired().empty()) {
            break;
        }
        const auto where = std::to_string(n) + " " + world.kernel.fired();
        world.restart();
        EXPECT_THAT(world.problems, IsEmpty()) << where;
        EXPECT_THAT(world.kernel.leaks(), IsEmpty()) << where;
        EXPECT_EQ(world.kernel.describe(bob), bobs_before) << where;
    }
}

INSTANTIATE_TEST_SUITE_P(Broker, EachOperation, ::testing::ValuesIn(operations()), word_of);

}  // namespace
}  // namespace banger::broker::test
