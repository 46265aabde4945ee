// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_tsc.hpp"

#include <gtest/gtest.h>

namespace banger::agent {
namespace {

TEST(HostTscTest, ItsRateIsThatOfAMachineAndStaysWhatItWas)
{
    const auto rate = host_tsc_khz();
    EXPECT_GT(rate, 100'000U);
    EXPECT_LT(rate, 10'000'000U);
    EXPECT_EQ(host_tsc_khz(), rate);
}

}  // namespace
}  // namespace banger::agent
