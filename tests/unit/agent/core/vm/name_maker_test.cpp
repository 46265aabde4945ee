// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/name_maker.hpp"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <set>

namespace banger::agent {
namespace {

TEST(NameMakerTest, NamesAreTwoWords)
{
    for (int i = 0; i < 1000; ++i) {
        const auto name = make_name([](const VmName&) { return false; });
        EXPECT_TRUE(std::regex_match(name.str(), std::regex{"[a-z]+-[a-z]+"})) << name.str();
    }
}

TEST(NameMakerTest, TenThousandDifferentNamesCanBeHad)
{
    std::set<std::string> taken;
    for (int i = 0; i < 10'000; ++i) {
        const auto name = make_name([&](const VmName& candidate) { return taken.contains(candidate.str()); });
        EXPECT_TRUE(taken.insert(name.str()).second);
    }
}

TEST(NameMakerTest, WhenTheWordsAreTakenANumberFollows)
{
    const auto only_numbers = [](const VmName& name) {
        return !std::isdigit(static_cast<unsigned char>(name.str().back()));
    };
    EXPECT_EQ(make_name(only_numbers, [](std::size_t) { return 0U; }).str(), "able-ant-0");
}

TEST(NameMakerTest, EachCornerOfTheListsIsAName)
{
    EXPECT_NO_THROW(make_name([](const VmName&) { return false; }, [](std::size_t count) { return count - 1; }));
    EXPECT_NO_THROW(make_name([](const VmName&) { return false; }, [](std::size_t) { return 0U; }));
}

}  // namespace
}  // namespace banger::agent
