// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/power_care.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A login manager that says what a test wants, and counts who makes it wait.
class FakePower final : public HostPower {
public:
    void watch(HostPowerEvents wanted) override
    {
        ++watched;
        events = std::move(wanted);
    }
    Task<UniqueFd> delay_shutdown(std::string why) override
    {
        reason = std::move(why);
        ++asked;
        if (slow) {
            const auto turn = answer;
            co_await turn.wait();
        }
        if (refuses) {
            throw Error{ErrorCode::NotAuthorized, "logind refuses"};
        }
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
            throw Error{ErrorCode::Internal, "no pipe"};
        }
        theirs = UniqueFd{ends[0]};
        co_return UniqueFd{ends[1]};
    }
    /// Whether a shutdown would wait now.
    bool waits() const
    {
        char byte{};
        return theirs && ::read(theirs.get(), &byte, 1) < 0;
    }

    HostPowerEvents events;
    UniqueFd theirs;
    bool refuses{false};
    bool slow{false};
    Promise<Unit> answer;
    int watched{0};
    int asked{0};
    std::string reason;
};

class PowerCareTest : public ::testing::Test {
protected:
    PowerCareTest() { care.begin(); }
    void found(milliseconds delay = std::chrono::seconds{5}) { power.events.found(delay); }
    void create(const std::string& name)
    {
        ASSERT_TRUE(bangerd.create(name).ok());
        care.notice(bangerd.vm(name));
    }
    /// As bangerd does: each change of a VM is noticed.
    void stop(const std::string& name)
    {
        ASSERT_TRUE(bangerd.stop(name).ok());
        care.notice(bangerd.vm(name));
    }

    World world;
    Bangerd bangerd{world};
    FakePower power;
    std::vector<std::string> stopped;
    milliseconds waits_for{};  ///< the last of them
    std::vector<std::string> log;
    PowerCare care{bangerd.loop,
                   power,
                   {.vms = [this] { return bangerd.manager->list(); },
                    .tell_time = [this] { bangerd.manager->tell_time(); },
                    .stop =
                        [this](const VmPtr& vm, milliseconds wait) {
                            stopped.push_back(vm->name());
                            waits_for = wait;
                        },
                    .log = [this](const std::string& text) { log.push_back(text); }}};
};

TEST_F(PowerCareTest, AfterASleepAllGuestsThatRunAreToldTheTime)
{
    create("otter");
    create("heron");
    ASSERT_TRUE(bangerd.create("stopped", AfterCreate::Leave).ok());
    found();
    power.events.woke();
    EXPECT_EQ(bangerd.link("otter").times_told, 1);
    EXPECT_EQ(bangerd.link("heron").times_told, 1);
    power.events.woke();
    EXPECT_EQ(bangerd.link("otter").times_told, 2);
}

TEST_F(PowerCareTest, AShutdownIsMadeToWaitWhileAVmRunsAndOnlyThen)
{
    found();
    EXPECT_EQ(power.asked, 0);
    create("otter");
    create("heron");
    EXPECT_TRUE(power.waits());
    EXPECT_EQ(power.asked, 1) << "once for all";
    EXPECT_FALSE(power.reason.empty());
    stop("otter");
    EXPECT_TRUE(power.waits());
    stop("heron");
    EXPECT_FALSE(power.waits());
    ASSERT_TRUE(bangerd.start("heron").ok());
    care.notice(bangerd.vm("heron"));
    EXPECT_TRUE(power.waits());
}

TEST_F(PowerCareTest, VmsThatRanBeforeLogindWasFoundCountToo)
{
    create("otter");
    EXPECT_EQ(power.asked, 0) << "there is nobody to ask";
    found();
    EXPECT_TRUE(power.waits());
}

TEST_F(PowerCareTest, AShutdownStopsWhatRunsAndGoesOnWhenAllHasEnded)
{
    create("otter");
    create("heron");
    ASSERT_TRUE(bangerd.create("stopped", AfterCreate::Leave).ok());
    found();
    power.events.shutdown_begins();
    EXPECT_THAT(stopped, ElementsAre("heron", "otter"));
    EXPECT_TRUE(power.waits());
    stop("otter");
    EXPECT_TRUE(power.waits());
    stop("heron");
    EXPECT_FALSE(power.waits());
    power.events.shutdown_begins();
    EXPECT_EQ(stopped.size(), 2U) << "it begins once";
}

TEST_F(PowerCareTest, AShutdownGoesOnBeforeTheDelayIsOver)
{
    create("otter");
    found(PowerCare::margin + milliseconds{50});
    power.events.shutdown_begins();
    EXPECT_TRUE(power.waits());
    ASSERT_TRUE(bangerd.drive([this] { return !power.waits(); }, PowerCare::margin));
    EXPECT_THAT(log, Contains(HasSubstr("not all VMs have ended")));
    EXPECT_EQ(power.asked, 1) << "and isn't held up again";
}

TEST_F(PowerCareTest, AGuestMayTakeAsLongAsTheShutdownWaits)
{
    create("otter");
    found(std::chrono::seconds{60});
    power.events.shutdown_begins();
    EXPECT_EQ(waits_for, std::chrono::seconds{60} - PowerCare::margin);
}

TEST_F(PowerCareTest, AHostWithoutDelaysGoesOnAtOnce)
{
    create("otter");
    found(milliseconds{0});
    power.events.shutdown_begins();
    EXPECT_THAT(stopped, ElementsAre("otter"));
    EXPECT_EQ(waits_for.count(), 0);
    EXPECT_FALSE(power.waits());
}

TEST_F(PowerCareTest, AShutdownThatIsCalledOffMayBeFollowedByAnother)
{
    create("otter");
    found();
    power.events.shutdown_begins();
    power.events.shutdown_called_off();
    EXPECT_TRUE(power.waits());
    power.events.shutdown_begins();
    EXPECT_THAT(stopped, ElementsAre("otter", "otter"));
}

TEST_F(PowerCareTest, AnotherLogindKnowsNothingOfTheShutdownThatTheLastOneBegan)
{
    create("otter");
    found();
    power.events.shutdown_begins();
    power.events.lost("logind is not on the system bus");
    found();
    EXPECT_TRUE(power.waits());
    power.events.shutdown_begins();
    EXPECT_THAT(stopped, ElementsAre("otter", "otter"));
}

TEST_F(PowerCareTest, WithoutAVmAShutdownIsNotWorthAWord)
{
    found();
    power.events.shutdown_begins();
    EXPECT_THAT(stopped, IsEmpty());
    EXPECT_THAT(log, IsEmpty());
}

TEST_F(PowerCareTest, AnotherLogindIsAskedAnew)
{
    create("otter");
    found();
    power.events.lost("logind is not on the system bus");
    EXPECT_FALSE(power.waits());
    found();
    EXPECT_TRUE(power.waits());
    EXPECT_EQ(power.asked, 2);
}

TEST_F(PowerCareTest, AnAnswerOfOneThatHasGoneCountsForNothing)
{
    create("otter");
    power.slow = true;
    found();
    EXPECT_EQ(power.asked, 1);
    power.events.lost("logind is not on the system bus");
    power.slow = false;
    found();
    EXPECT_EQ(power.asked, 1) << "one question at a time";
    power.answer.set(Unit{});
    EXPECT_EQ(power.asked, 2);
    EXPECT_TRUE(power.waits());
}

TEST_F(PowerCareTest, WhatComesAfterTheLastVmHasEndedIsLetGo)
{
    create("otter");
    power.slow = true;
    found();
    ASSERT_TRUE(bangerd.stop("otter").ok());
    power.answer.set(Unit{});
    EXPECT_FALSE(power.waits());
}

TEST_F(PowerCareTest, ARefusalIsSaidOnceAndStopsNothing)
{
    power.refuses = true;
    found();
    create("otter");
    create("heron");
    EXPECT_EQ(power.asked, 1);
    EXPECT_THAT(log, ElementsAre(HasSubstr("logind refuses")));
    power.events.shutdown_begins();
    EXPECT_THAT(stopped, ElementsAre("heron", "otter"));
}

TEST_F(PowerCareTest, AMissingLogindIsSaidOnce)
{
    power.events.lost("logind is not on the system bus");
    found();
    power.events.lost("logind is not on the system bus");
    EXPECT_THAT(log, ElementsAre(HasSubstr("logind is not on the system bus")));
    create("otter");
    EXPECT_EQ(power.asked, 0);
}

TEST_F(PowerCareTest, AMissingBusIsSaidOnceAndTriedAgain)
{
    FakePower none;
    std::vector<std::string> said;
    PowerCare other{bangerd.loop,
                    none,
                    {.vms = [this] { return bangerd.manager->list(); },
                     .tell_time = [] {},
                     .stop = [](const VmPtr&, milliseconds) {},
                     .log = [&said](const std::string& text) { said.push_back(text); }}};
    other.housekeep();
    EXPECT_EQ(none.watched, 0) << "not before it begins";
    other.begin();
    none.events.lost("there is no system bus");
    other.housekeep();
    none.events.lost("there is no system bus");
    EXPECT_EQ(none.watched, 2);
    EXPECT_THAT(said, ElementsAre(HasSubstr("no system bus")));
    other.housekeep();
    none.events.found(std::chrono::seconds{5});
    other.housekeep();
    EXPECT_EQ(none.watched, 3) << "it is there now";
}

TEST_F(PowerCareTest, WhatIsToldAfterItsEndHarmsNothing)
{
    {
        PowerCare gone{bangerd.loop,
                       power,
                       {.vms = [] { return std::vector<VmPtr>{}; }, .tell_time = [] {}, .stop = {}, .log = {}}};
        gone.begin();
    }
    power.events.found(std::chrono::seconds{5});
    power.events.woke();
    power.events.shutdown_begins();
    power.events.lost("logind is not on the system bus");
    EXPECT_THAT(log, Not(Contains(HasSubstr("slept"))));
}

}  // namespace
}  // namespace banger::agent::test
