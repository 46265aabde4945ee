// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/vm_numbers.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

Numbers cpu_sample(std::uint64_t sampled_ns, std::uint64_t cpu_ns)
{
    return {{"sampled_ns", sampled_ns}, {"cpu_ns", cpu_ns}};
}

TEST(CpuPercent, IsOfOneCoreBetweenTwoSamples)
{
    EXPECT_EQ(cpu_percent(cpu_sample(1000, 100), cpu_sample(2000, 600)), 50);
    EXPECT_EQ(cpu_percent(cpu_sample(1000, 0), cpu_sample(2000, 4000)), 400);
}

TEST(CpuPercent, IsNotKnownAcrossAStartOrWithoutASample)
{
    EXPECT_FALSE(cpu_percent(cpu_sample(1000, 600), cpu_sample(2000, 100)).has_value());
    EXPECT_FALSE(cpu_percent(cpu_sample(1000, 100), cpu_sample(1000, 600)).has_value());
    EXPECT_FALSE(cpu_percent({}, cpu_sample(1000, 600)).has_value());
    EXPECT_FALSE(cpu_percent(cpu_sample(1000, 100), {{"cpu_ns", 7}}).has_value());
}

TEST(UsualInterval, GrowsWithTheVmsSoThatManyCostNoMoreThanTwenty)
{
    using std::chrono::seconds;
    EXPECT_EQ(usual_interval(0), seconds{2});
    EXPECT_EQ(usual_interval(20), seconds{2});
    EXPECT_EQ(usual_interval(100), seconds{10});
}

TEST(UptimeText, HasTwoUnitsAtMost)
{
    constexpr std::uint64_t minute = 60'000;
    EXPECT_EQ(uptime_text(std::nullopt), "-");
    EXPECT_EQ(uptime_text(0), "0s");
    EXPECT_EQ(uptime_text(3 * minute + 12'500), "3m12s");
    EXPECT_EQ(uptime_text(90 * minute), "1h30m");
    EXPECT_EQ(uptime_text(50 * 60 * minute), "2d2h");
}

}  // namespace
}  // namespace banger::cli
