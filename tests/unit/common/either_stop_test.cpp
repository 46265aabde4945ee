// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/either_stop.hpp"

#include <gtest/gtest.h>

namespace banger {
namespace {

TEST(EitherStopTest, EachOfBothStopsIt)
{
    for (const bool first : {true, false}) {
        const std::stop_source one;
        const std::stop_source other;
        const EitherStop either{one.get_token(), other.get_token()};
        const auto token = either.token();
        EXPECT_FALSE(token.stop_requested());
        (first ? one : other).request_stop();
        EXPECT_TRUE(token.stop_requested());
    }
}

TEST(EitherStopTest, WhatIsStoppedAlreadyCountsAndWhatNeverStopsIsNoHarm)
{
    const std::stop_source stopped;
    stopped.request_stop();
    EXPECT_TRUE(EitherStop({}, stopped.get_token()).token().stop_requested());
    EXPECT_FALSE(EitherStop({}, {}).token().stop_requested());
}

}  // namespace
}  // namespace banger
