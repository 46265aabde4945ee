// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/nearest.hpp"

#include <gtest/gtest.h>

#include <string>

namespace banger {
namespace {

const std::vector<std::string_view> known{"memory", "vcpus", "network", "rm"};

TEST(NearestTest, AWordThatIsNearlyRightIsFound)
{
    EXPECT_EQ(nearest("memroy", known), "memory");
    EXPECT_EQ(nearest("vcpu", known), "vcpus");
    EXPECT_EQ(nearest("netwrk", known), "network");
    EXPECT_EQ(nearest("memory", known), "memory");
    EXPECT_EQ(nearest("rn", known), "rm");
}

TEST(NearestTest, AWordThatGoesOnIsTheOneMeant)
{
    EXPECT_EQ(nearest("net", known), "network");
    EXPECT_EQ(nearest("mem", known), "memory");
}

TEST(NearestTest, WhatIsFarFromEverythingWasMeantAsNothing)
{
    EXPECT_EQ(nearest("weather", known), std::nullopt);
    EXPECT_EQ(nearest("", known), std::nullopt);
    EXPECT_EQ(nearest("memory", {}), std::nullopt);
    EXPECT_EQ(nearest(std::string(65, 'm'), known), std::nullopt);
    EXPECT_EQ(nearest("ne", known), std::nullopt) << "two letters are no beginning";
}

TEST(NearestTest, TheFirstOfTwoEquallyNearIsTaken)
{
    EXPECT_EQ(nearest("bat", {"cat", "rat"}), "cat");
    EXPECT_EQ(nearest("rats", {"cats", "rats"}), "rats");
}

}  // namespace
}  // namespace banger
