// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

namespace banger::agent {
namespace {

using enum VmState;
using enum VmEvent;

constexpr std::array states{Creating, Stopped, Starting, Running, Stopping, Deleting, Failed};
constexpr std::array events{Made,          StartRequested, GuestReady,  ReadyLate,       StartFailed,
                            StopRequested, VmmEnded,       VmmCrashed,  RebootRequested, DeleteRequested,
                            FoundRunning,  FoundGone,      FoundStrange};

/// Written by hand, apart from the code: each state, each event; "" is refused. Columns are in the order of `events`.
const std::map<VmState, std::array<const char*, events.size()>> expected{
    //          made       start       ready      late       failed    stop        ended      crashed    reboot     delete      running     gone        strange
    {Creating, {"stopped", "", "", "", "", "", "", "", "", "deleting", "deleting", "deleting", "deleting"}},
    {Stopped, {"", "starting", "", "", "", "", "", "", "", "deleting", "running", "stopped", "failed"}},
    {Starting,
     {"", "", "running", "running", "failed", "stopping", "stopped", "failed", "", "deleting", "running", "stopped",
      "failed"}},
    {Running,
     {"", "", "running", "", "", "stopping", "stopped", "failed", "stopped", "deleting", "running", "stopped",
      "failed"}},
    {Stopping,
     {"", "", "stopping", "", "", "stopping", "stopped", "stopped", "", "deleting", "running", "stopped", "failed"}},
    {Deleting, {"", "", "", "", "", "", "deleting", "deleting", "", "deleting", "deleting", "deleting", "deleting"}},
    {Failed, {"", "starting", "", "", "", "", "failed", "failed", "", "deleting", "running", "failed", "failed"}},
};

class VmStateTest : public ::testing::TestWithParam<std::tuple<VmState, VmEvent>> {};

TEST_P(VmStateTest, GoesWhereTheTableSaysOrRefuses)
{
    const auto [state, event] = GetParam();
    const auto wanted = expected.at(state).at(static_cast<std::size_t>(event));
    const auto next = next_state(state, event);
    EXPECT_EQ(next ? std::string{to_string(*next)} : "", wanted);
}

INSTANTIATE_TEST_SUITE_P(EveryStateAndEvent, VmStateTest,
                         ::testing::Combine(::testing::ValuesIn(states), ::testing::ValuesIn(events)),
                         [](const auto& given) {
                             auto name = std::string{to_string(std::get<0>(given.param))} + "_" +
                                         std::string{to_string(std::get<1>(given.param))};
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

TEST(VmStatesTest, AreReadBackFromTheirNames)
{
    for (const auto state : states) {
        EXPECT_EQ(vm_state_of(to_string(state)), state);
    }
    EXPECT_FALSE(vm_state_of("asleep"));
    EXPECT_FALSE(vm_state_of(""));
}

TEST(VmStatesTest, HaveOneRowForEachPair)
{
    std::map<std::pair<VmState, VmEvent>, int> count;
    for (const auto& row : vm_transitions()) {
        EXPECT_EQ(++count[std::pair(row.from, row.event)], 1) << to_string(row.from) << " " << to_string(row.event);
    }
}

TEST(VmStatesTest, EachStateButDeletingCanBeDeletedAndEachCanBeFoundAgain)
{
    for (const auto state : states) {
        EXPECT_EQ(next_state(state, DeleteRequested), Deleting) << to_string(state);
        for (const auto event : {FoundRunning, FoundGone, FoundStrange}) {
            EXPECT_TRUE(next_state(state, event)) << to_string(state);
        }
    }
}

}  // namespace
}  // namespace banger::agent
