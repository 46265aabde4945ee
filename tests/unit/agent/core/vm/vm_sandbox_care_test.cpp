// SPDX-License-Identifier: GPL-2.0-or-later
// A bangerd that comes back to sandboxes: by plan, and after a SIGKILL or a failure at each step.
#include "tests/unit/agent/core/vm/sandbox_world.hpp"

namespace banger::agent::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using VmSandboxCareTest = VmSandboxesTest;

TEST_F(VmSandboxCareTest, ARunningVmWithATapIsTakenOverWithItsNetwork)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    calls();
    auto& next = restart();
    EXPECT_EQ(next.state("otter"), VmState::Running);
    EXPECT_EQ(next.link("otter").settings().network.gateway, "10.213.0.1");
    EXPECT_EQ(next.link("otter").settings().network.prefix, 30U);
    EXPECT_THAT(calls(), ElementsAre("list", "publish otter 10.213.0.1 10.213.0.2"))
        << "the socket that answered for its name was the last bangerd's";
    EXPECT_THAT(next.broker.answered, ElementsAre("otter"));
    EXPECT_THAT(next.faults(), IsEmpty());
}

TEST_F(VmSandboxCareTest, TheSandboxOfAVmThatEndedMeanwhileIsStopped)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    const auto pid = record().process.pid;
    bangerd.reset();
    world.end_process(pid, std::nullopt);
    auto& next = restart();
    EXPECT_FALSE(next.sandbox("otter")->running);
    EXPECT_THAT(next.faults(), IsEmpty());
    EXPECT_TRUE(next.start("otter").ok());
}

TEST_F(VmSandboxCareTest, AVmmThatCantBeSpokenToKeepsItsSandbox)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    world.vmms.known = false;
    auto& next = restart();
    EXPECT_EQ(next.state("otter"), VmState::Failed);
    EXPECT_TRUE(next.sandbox("otter")->running);
}

TEST_F(VmSandboxCareTest, SandboxesThatAreNotThisFoldersAreLeftAlone)
{
    for (const auto* id : {"otherotherot-abcdefghijkm", "ownerownerow", "ownerownerow-x", "abcdefghijkm", "a-b",
                           "ownerownerow-abcdefghijk-", "ownerownerow-abcdefghijkmn"}) {
        world.sandboxes[id] = FakeSandbox{};
    }
    world.sandboxes["ownerownerow-abcdefghijkm"] = FakeSandbox{};
    restart();
    EXPECT_EQ(world.sandboxes.size(), 7U);
    EXPECT_FALSE(world.sandboxes.contains("ownerownerow-abcdefghijkm")) << "that one is of a VM that is gone";
}

TEST_F(VmSandboxCareTest, TheDiskOfAVmWhoseDescriptionIsDamagedIsKept)
{
    ASSERT_TRUE(bangerd->create("otter", AfterCreate::Leave).ok());
    std::filesystem::resize_file(bangerd->vm("otter")->folder / "vm.json", 5);
    world.rows.clear();
    restart();
    EXPECT_EQ(world.sandboxes.size(), 1U);
}

TEST_F(VmSandboxCareTest, WithoutADatabaseAVmFindsItsSandboxAgain)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    world.rows.clear();
    auto& next = restart();
    EXPECT_EQ(record().spec.storage, StorageChoice::DmSnapshot);
    EXPECT_TRUE(record().sandbox);
    EXPECT_EQ(record().network, "tap");
    EXPECT_TRUE(next.remove("otter", Force::Yes).ok());
    EXPECT_THAT(world.sandboxes, IsEmpty());
}

TEST_F(VmSandboxCareTest, ABrokerThatHangsHoldsNoBangerdUp)
{
    const LeaksExpected leaks;
    ASSERT_TRUE(bangerd->create("otter").ok());
    bangerd.reset();
    bangerd = std::make_unique<Bangerd>(world);
    world.arm("broker.list", Fault::Hang);
    EXPECT_TRUE(bangerd->recover().ok());
    EXPECT_TRUE(bangerd->drive([&] { return bangerd->vm("otter")->ready(); }));
}

// SIGKILL and failure at each step

enum class DoingBesideABroker { Create, CreateStopped, Start, Stop, Delete, SetNat };

class KilledBesideABroker : public ::testing::TestWithParam<std::tuple<DoingBesideABroker, Fault>> {
protected:
    static VmRequest request(const Bangerd& bangerd)
    {
        auto request = bangerd.request("otter");
        request.network = NetworkChoice::Tap;
        request.nat = Nat::On;
        return request;
    }
    static void prepare(Bangerd& bangerd, DoingBesideABroker doing)
    {
        if (doing == DoingBesideABroker::Start || doing == DoingBesideABroker::SetNat) {
            auto wanted = request(bangerd);
            wanted.nat = doing == DoingBesideABroker::SetNat ? Nat::Off : Nat::On;
            ASSERT_TRUE(bangerd.create(wanted, AfterCreate::Leave).ok());
        } else if (doing == DoingBesideABroker::Stop || doing == DoingBesideABroker::Delete) {
            ASSERT_TRUE(bangerd.create(request(bangerd)).ok());
        }
    }
    static Outcome act(Bangerd& bangerd, DoingBesideABroker doing)
    {
        switch (doing) {
            case DoingBesideABroker::Create:
                return bangerd.create(request(bangerd));
            case DoingBesideABroker::CreateStopped:
                return bangerd.create(request(bangerd), AfterCreate::Leave);
            case DoingBesideABroker::Start:
                return bangerd.start("otter");
            case DoingBesideABroker::Stop:
                return bangerd.stop("otter");
            case DoingBesideABroker::Delete:
                return bangerd.remove("otter", Force::Yes);
            case DoingBesideABroker::SetNat: {
                const VmChange change{.nat = Nat::On};
                return bangerd.run(bangerd.manager->change(bangerd.vm("otter"), bangerd.operation("set"), change));
            }
        }
        return {};
    }
    /// False when there is no such step.
    static bool fault_at(int step, DoingBesideABroker doing, Fault fault)
    {
        World world;
        world.broker.there = true;
        {
            Bangerd bangerd{world};
            prepare(bangerd, doing);
            world.arm(step, fault);
            act(bangerd, doing);
            if (world.fired().empty()) {
                return false;
            }
        }
        SCOPED_TRACE("at " + world.fired());
        Bangerd next{world};
        const auto outcome = next.recover();
        EXPECT_TRUE(outcome.ok()) << outcome.what();
        next.settle();
        EXPECT_THAT(next.faults(), IsEmpty());
        if (doing == DoingBesideABroker::Start || doing == DoingBesideABroker::Stop ||
            doing == DoingBesideABroker::SetNat) {
            EXPECT_NE(next.vm("otter"), nullptr) << "a VM was lost";
        }
        const bool there = next.vm("otter") != nullptr;
        const auto again = there ? next.start("otter") : next.create(request(next));
        EXPECT_TRUE(again.ok()) << again.what();
        EXPECT_THAT(next.faults(), IsEmpty());
        EXPECT_TRUE(next.remove("otter", Force::Yes).ok());
        next.settle();
        EXPECT_THAT(world.sandboxes, IsEmpty());
        return true;
    }
};

TEST_P(KilledBesideABroker, BangerdLeavesNothingOverAndLosesNothing)
{
    const LeaksExpected leaks;
    const auto [doing, fault] = GetParam();
    int step = 1;
    while (fault_at(step, doing, fault)) {
        ++step;
    }
    EXPECT_GT(step, 2) << "the test has gone blind";
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, KilledBesideABroker,
                         ::testing::Combine(::testing::Values(DoingBesideABroker::Create,
                                                              DoingBesideABroker::CreateStopped,
                                                              DoingBesideABroker::Start, DoingBesideABroker::Stop,
                                                              DoingBesideABroker::Delete, DoingBesideABroker::SetNat),
                                            ::testing::Values(Fault::DieBefore, Fault::DieAfter, Fault::Fail)));

}  // namespace
}  // namespace banger::agent::test
