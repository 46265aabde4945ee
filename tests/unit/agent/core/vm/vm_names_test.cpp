// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_names.hpp"

#include <algorithm>

#include "tests/unit/agent/core/vm/sandbox_world.hpp"

namespace banger::agent::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const HostName otter{.name = "otter", .address = "10.213.0.2"};

class VmNamesTest : public VmSandboxesTest {
protected:
    VmNamesTest() { restart(); }
};

TEST_F(VmNamesTest, AVmWithATapHasANameWhileItRuns)
{
    ASSERT_TRUE(bangerd->create(nat(), AfterCreate::Leave).ok());
    EXPECT_THAT(world.host_names, IsEmpty());
    ASSERT_TRUE(bangerd->start("otter").ok());
    EXPECT_THAT(world.host_names, ElementsAre(otter));
    ASSERT_TRUE(bangerd->stop("otter").ok());
    EXPECT_THAT(world.host_names, IsEmpty());
}

TEST_F(VmNamesTest, WhoLearnsThatItRunsFindsIt)
{
    bool found = false;
    VmNames names{bangerd->host_names};
    const auto observer = names.before({.added = [](const VmPtr&) {},
                                        .changed = [&](const VmPtr&) { found = !world.host_names.empty(); },
                                        .removed = [](const VmPtr&) {},
                                        .log = {}});
    ASSERT_TRUE(bangerd->create(nat()).ok());
    world.host_names.clear();
    names.begin();
    observer.changed(bangerd->vm("otter"));
    EXPECT_TRUE(found);
}

TEST_F(VmNamesTest, AVmThatIsDeletedCrashesOrCantStartHasNone)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    bangerd->end_guest("otter", std::nullopt);
    bangerd->settle();
    EXPECT_EQ(bangerd->state("otter"), VmState::Failed);
    EXPECT_THAT(world.host_names, IsEmpty());
    ASSERT_TRUE(bangerd->start("otter").ok());
    ASSERT_THAT(world.host_names, ElementsAre(otter));
    ASSERT_TRUE(bangerd->remove("otter", Force::Yes).ok());
    EXPECT_THAT(world.host_names, IsEmpty());
    world.guests.end_early = GuestEnd::Reset;
    EXPECT_FALSE(bangerd->create(nat()).ok());
    EXPECT_THAT(world.host_names, IsEmpty());
}

TEST_F(VmNamesTest, AVmThatTheHostDoesNotReachHasNone)
{
    const auto told = world.names_told;
    ASSERT_TRUE(bangerd->create("otter").ok());
    ASSERT_NE(record().network, "tap");
    EXPECT_THAT(world.host_names, IsEmpty());
    EXPECT_EQ(world.names_told, told) << "nothing is written where nothing is new";
}

TEST_F(VmNamesTest, GuestsWithATapLearnEachOthersNames)
{
    ASSERT_TRUE(bangerd->create(nat(), AfterCreate::Start).ok());
    auto second = bangerd->request("heron");
    second.network = NetworkChoice::Tap;
    ASSERT_TRUE(bangerd->create(second).ok());
    auto third = bangerd->request("apart");
    third.network = NetworkChoice::User;
    ASSERT_TRUE(bangerd->create(third).ok());
    const HostName heron{.name = "heron", .address = bangerd->vm("heron")->record.address};
    EXPECT_THAT(bangerd->link("otter").names, UnorderedElementsAre(otter, heron));
    EXPECT_THAT(bangerd->link("heron").names, UnorderedElementsAre(otter, heron));
    EXPECT_THAT(bangerd->link("apart").names, IsEmpty()) << "it can't reach them";
    ASSERT_TRUE(bangerd->stop("heron").ok());
    EXPECT_THAT(bangerd->link("otter").names, ElementsAre(otter));
}

TEST_F(VmNamesTest, WhileBangerdIsAwayAndComesBackTheNamesStay)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    bangerd.reset();
    EXPECT_THAT(world.host_names, ElementsAre(otter));
    bangerd = std::make_unique<Bangerd>(world);
    world.host_names.push_back({.name = "long-gone", .address = "10.213.0.6"});
    const auto told = world.names_told;
    ASSERT_TRUE(bangerd->recover().ok());
    EXPECT_EQ(world.names_told, told + 1) << "not name by name, as they are found";
    EXPECT_THAT(world.host_names, ElementsAre(otter));
}

TEST_F(VmNamesTest, OneThatEndedMeanwhileIsForgottenAtTheStart)
{
    ASSERT_TRUE(bangerd->create(nat()).ok());
    const auto pid = record().process.pid;
    bangerd.reset();
    world.end_process(pid, std::nullopt);
    restart();
    EXPECT_THAT(world.host_names, IsEmpty());
}

TEST_F(VmNamesTest, NamesThatCantBeWrittenAreSaidOnceAndHarmNothing)
{
    world.names_fail = true;
    ASSERT_TRUE(bangerd->create(nat()).ok());
    ASSERT_TRUE(bangerd->stop("otter").ok());
    ASSERT_TRUE(bangerd->start("otter").ok());
    EXPECT_EQ(std::count_if(bangerd->log.begin(), bangerd->log.end(),
                            [](const std::string& line) { return line.find("no room for names") != line.npos; }),
              1);
    world.names_fail = false;
    ASSERT_TRUE(bangerd->restart("otter").ok());
    EXPECT_THAT(world.host_names, ElementsAre(otter));
    world.names_fail = true;
    bangerd->log.clear();
    ASSERT_TRUE(bangerd->stop("otter").ok());
    EXPECT_THAT(bangerd->log, Contains(HasSubstr("no room for names")));
}

}  // namespace
}  // namespace banger::agent::test
