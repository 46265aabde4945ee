// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/notices.hpp"

#include <gmock/gmock.h>

#include "tests/unit/agent/core/desktop/desk_world.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NoticesTest : public LoopTest {
protected:
    void tell(const std::string& name) { notices.tell({.key = "vm:" + name, .title = name, .about = name}); }
    std::vector<std::string> titles() const
    {
        std::vector<std::string> list;
        for (const auto& notice : notifier.shown) {
            list.push_back(notice.title);
        }
        return list;
    }

    FakeNotifier notifier;
    bool wanted{true};
    Notices::Time now{seconds{1'000}};
    std::vector<std::string> log;
    Notices notices{loop,
                    notifier,
                    {.wanted = [this] { return wanted; },
                     .now = [this] { return now; },
                     .log = [this](const std::string& text) { log.push_back(text); }}};
};

TEST_F(NoticesTest, OneIsShownAtATime)
{
    notifier.holds = true;
    tell("web");
    tell("db");
    let_pass();
    EXPECT_THAT(titles(), ElementsAre("web"));
    notifier.holds = false;
    notifier.release();
    EXPECT_TRUE(drive([this] { return notifier.shown.size() == 2; }));
    EXPECT_EQ(notifier.most_at_once, 1);
}

TEST_F(NoticesTest, AThousandVmsAreAFewCallsOneAfterTheOther)
{
    notifier.holds = true;
    for (int i = 0; i < 1'000; ++i) {
        tell("vm" + std::to_string(i));
    }
    notifier.holds = false;
    notifier.release();
    EXPECT_TRUE(drive([this] { return notifier.shown.size() == NoticeQueue::burst; }));
    let_pass();
    EXPECT_THAT(notifier.shown, SizeIs(NoticeQueue::burst));
    EXPECT_THAT(titles().back(), HasSubstr("997 more messages"));
    EXPECT_EQ(notifier.most_at_once, 1);
}

TEST_F(NoticesTest, WithoutADaemonItIsToldOnceAndAskedAgainAfterAWhile)
{
    notifier.fails_with = Error{ErrorCode::HostLacks, "there is no notification daemon"};
    tell("web");
    for (int i = 0; i < 100; ++i) {
        tell("vm" + std::to_string(i));
    }
    EXPECT_THAT(notifier.shown, SizeIs(1));
    EXPECT_THAT(log, ElementsAre(HasSubstr("there is no notification daemon")));
    now += Notices::pause;
    tell("web");
    EXPECT_THAT(notifier.shown, SizeIs(2));
    EXPECT_THAT(log, SizeIs(1));
    notifier.fails_with.reset();
    now += Notices::pause;
    tell("web");
    EXPECT_THAT(notifier.shown, SizeIs(3));
    notifier.fails_with = Error{ErrorCode::Failed, "it hangs"};
    ASSERT_TRUE(drive([this] {
        tell("web");
        return log.size() == 2;
    })) << "after one that was shown it is told again";
}

TEST_F(NoticesTest, WhoWantsNoneGetsNoneAlsoOfThoseThatWait)
{
    wanted = false;
    tell("web");
    EXPECT_THAT(notifier.shown, IsEmpty());
    wanted = true;
    notifier.holds = true;
    tell("web");
    tell("db");
    wanted = false;
    notifier.release();
    let_pass();
    EXPECT_THAT(titles(), ElementsAre("web"));
}

TEST_F(NoticesTest, OneThatIsWithdrawnWhileAnotherIsShownDoesNotCome)
{
    notifier.holds = true;
    tell("web");
    tell("db");
    notices.withdraw("vm:db");
    notifier.release();
    let_pass();
    EXPECT_THAT(titles(), ElementsAre("web"));
}

}  // namespace
}  // namespace banger::agent::test
