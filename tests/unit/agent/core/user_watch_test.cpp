// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/user_watch.hpp"

#include <gmock/gmock.h>

#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class UserWatchTest : public test::LoopTest {
protected:
    Task<std::string> say()
    {
        ++asked;
        if (is_away) {
            throw Error{ErrorCode::Unavailable, "the directory server does not answer"};
        }
        co_return heir;
    }

    std::string heir;
    bool is_away{false};
    int asked{0};
    std::vector<std::string> found;
    UserWatch watch{
        loop,
        {.heir = [this] { return say(); }, .found = [this](const std::string& name) { found.push_back(name); }},
        std::chrono::milliseconds{1}};
};

TEST_F(UserWatchTest, WhileTheUserIsHimselfNothingHappens)
{
    ASSERT_TRUE(drive([this] { return asked > 2; }));
    EXPECT_THAT(found, IsEmpty());
}

TEST_F(UserWatchTest, AnotherUserOfTheSameNumberIsToldForAsLongAsItIsSo)
{
    heir = "bob";
    ASSERT_TRUE(drive([this] { return found.size() > 1; }));
    EXPECT_THAT(found, Each("bob"));
    heir.clear();
    const int before = asked;
    ASSERT_TRUE(drive([&] { return asked > before + 2; }));
    const auto told = found.size();
    ASSERT_TRUE(drive([&] { return asked > before + 4; }));
    EXPECT_THAT(found, SizeIs(told));
}

TEST_F(UserWatchTest, ADatabaseThatIsAwayIsAskedAgain)
{
    is_away = true;
    ASSERT_TRUE(drive([this] { return asked > 2; }));
    EXPECT_THAT(found, IsEmpty());
    is_away = false;
    heir = "bob";
    EXPECT_TRUE(drive([this] { return !found.empty(); }));
}

}  // namespace
}  // namespace banger::agent
