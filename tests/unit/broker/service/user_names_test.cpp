// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/user_names.hpp"

#include <gtest/gtest.h>
#include <systemd/sd-event.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <thread>

#include "common/error.hpp"

namespace banger::broker::test {
namespace {

/// Alice has a name, bob's entry is empty, and the database fails for everybody else.
class SomeUsers final : public Users {
public:
    std::optional<std::string> name_of(uid_t uid) override
    {
        asked_on = std::this_thread::get_id();
        if (uid == 1002) {
            return std::nullopt;
        }
        if (uid > 1002) {
            throw Error{ErrorCode::Unavailable, "the user database does not answer"};
        }
        return uid == 1000 ? "alice" : "";
    }
    std::thread::id asked_on;
};

TEST(UserNamesTest, GiveANameOrNoneOrNothingAndNeverHoldTheLoopUp)
{
    EventLoop loop;
    SomeUsers users;
    Lane lane;
    const auto name_of = user_names(loop, lane, users);
    const std::map<uid_t, std::optional<std::string>> expected{
        {1000, "alice"}, {1001, ""}, {1002, ""}, {1003, std::nullopt}};
    for (const auto& [uid, name] : expected) {
        std::optional<std::optional<std::string>> told;
        name_of(uid, [&told](const std::optional<std::string>& answer) { told.emplace(answer); });
        EXPECT_FALSE(told) << "later, from the loop";
        for (int i = 0; i < 1000 && !told; ++i) {
            sd_event_run(loop.get(), 10'000);
        }
        ASSERT_TRUE(told) << uid;
        EXPECT_EQ(*told, name);
        EXPECT_NE(users.asked_on, std::this_thread::get_id());
    }
}

TEST(UserNamesTest, AskOnceForAllWhoWaitForTheSameUid)
{
    class CountingUsers final : public Users {
    public:
        std::optional<std::string> name_of(uid_t) override
        {
            ++asked;
            return "alice";
        }
        std::atomic<int> asked{0};
    };
    EventLoop loop;
    CountingUsers users;
    Lane lane;
    const auto name_of = user_names(loop, lane, users);
    std::promise<void> gate;
    ASSERT_TRUE(lane.submit([wait = gate.get_future().share()] { wait.wait(); }));
    int told = 0;
    for (int i = 0; i < 100; ++i) {
        name_of(1000, [&told](const std::optional<std::string>& name) { told += name == "alice" ? 1 : 0; });
    }
    name_of(1001, [&told](const auto&) { ++told; });
    gate.set_value();
    while (told < 101) {
        sd_event_run(loop.get(), UINT64_MAX);
    }
    EXPECT_EQ(users.asked, 2);
    name_of(1000, [&told](const auto&) { ++told; });
    while (told < 102) {
        sd_event_run(loop.get(), UINT64_MAX);
    }
    EXPECT_EQ(users.asked, 3) << "who comes later wants to know it anew";
}

}  // namespace
}  // namespace banger::broker::test
