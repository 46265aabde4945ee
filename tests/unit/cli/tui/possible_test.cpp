// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/possible.hpp"

#include <gtest/gtest.h>

#include <array>

namespace banger::cli::tui {
namespace {

VmRow in_state(const std::string& state, const std::string& network = "")
{
    VmRow vm;
    vm.name = "web";
    vm.state = state;
    vm.network = network;
    return vm;
}

/// As agent/README.md's table has it: one letter a state, in its order, y where the event isn't refused.
constexpr std::array states{"creating", "stopped", "starting", "running", "stopping", "deleting", "failed"};
std::string where(Verb verb, const std::string& network = "")
{
    std::string answers;
    for (const auto* state : states) {
        answers += why_not(in_state(state, network), verb).empty() ? 'y' : '.';
    }
    return answers;
}

TEST(WhyNot, EachVerbHasItsStates)
{
    EXPECT_EQ(where(Verb::Start), ".y....y");
    EXPECT_EQ(where(Verb::Stop), "..yyy..");
    EXPECT_EQ(where(Verb::Restart), "..yy...");
    EXPECT_EQ(where(Verb::Kill), "..yyy.y");
    EXPECT_EQ(where(Verb::Delete), "yyyyy.y");
    EXPECT_EQ(where(Verb::Shell), "...y...");
    EXPECT_EQ(where(Verb::Ssh), "...y...");
    EXPECT_EQ(where(Verb::Change), ".y.y..y") << "a running one takes a part of it";
    EXPECT_EQ(where(Verb::Ports), "...y...");
}

TEST(WhyNot, NatOfARunningVmTakesATap)
{
    EXPECT_EQ(where(Verb::NatOn, "tap"), ".y.y..y");
    EXPECT_EQ(where(Verb::NatOn, "user"), ".y....y");
    EXPECT_NE(why_not(in_state("running", "user"), Verb::NatOn).find("user"), std::string::npos);
}

TEST(WhyNot, SaysWhichVmAndWhatItIs)
{
    EXPECT_EQ(why_not(in_state("stopped"), Verb::Shell), "web is stopped; s starts one that is stopped");
}

TEST(QuestionBefore, AsksBeforeWhatCantBeUndone)
{
    EXPECT_EQ(question_before(in_state("running"), Verb::Stop), "");
    EXPECT_NE(question_before(in_state("running"), Verb::Kill), "");
    EXPECT_EQ(question_before(in_state("stopped"), Verb::Delete), "delete web and what is on its disks?");
    EXPECT_NE(question_before(in_state("running"), Verb::Delete).find("kill"), std::string::npos);
}

}  // namespace
}  // namespace banger::cli::tui
