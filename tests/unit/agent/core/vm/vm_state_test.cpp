// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

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

/// The cells of a line "| a | b |", without the outer bars.
std::vector<std::string> cells_of(const std::string& line)
{
    std::vector<std::string> cells;
    std::istringstream rest{line.substr(1)};
    for (std::string cell; std::getline(rest, cell, '|');) {
        const auto begin = cell.find_first_not_of(' ');
        cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, cell.find_last_not_of(' ') - begin + 1));
    }
    return cells;
}

TEST(VmStatesTest, StandInTheReadmeAsTheyAreInTheCode)
{
    std::ifstream readme{BANGER_SOURCE_DIR "/agent/README.md"};
    std::vector<std::string> columns;
    std::size_t rows = 0;
    for (std::string line; std::getline(readme, line);) {
        if (line.starts_with("| event |")) {
            columns = cells_of(line);
        } else if (!columns.empty() && !line.starts_with("|")) {
            break;
        } else if (!columns.empty() && !line.starts_with("|-")) {
            const auto cells = cells_of(line);
            ASSERT_EQ(cells.size(), columns.size()) << line;
            const auto event = std::find_if(events.begin(), events.end(),
                                            [&](VmEvent one) { return to_string(one) == cells.front(); });
            ASSERT_NE(event, events.end()) << line;
            for (std::size_t column = 1; column < columns.size(); ++column) {
                const auto from = vm_state_of(columns[column]);
                ASSERT_TRUE(from) << columns[column];
                const auto next = next_state(*from, *event);
                EXPECT_EQ(next ? to_string(*next) : "", cells[column]) << line << " from " << columns[column];
            }
            ++rows;
        }
    }
    EXPECT_EQ(rows, events.size());
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
