// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/lane.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <numeric>
#include <vector>

namespace banger {
namespace {

TEST(LaneTest, OneThreadRunsJobsInTheOrderTheyCame)
{
    std::vector<int> ran;
    {
        Lane lane;
        for (int i = 0; i < 1000; ++i) {
            ASSERT_TRUE(lane.submit([&ran, i] { ran.push_back(i); }));
        }
    }
    std::vector<int> expected(1000);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(ran, expected);
}

TEST(LaneTest, SeveralThreadsWorkAtTheSameTime)
{
    Lane lane{4};
    std::latch together{4};
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(lane.submit([&together] { together.arrive_and_wait(); }));  // hangs, were there fewer threads
    }
}

TEST(LaneTest, OneOfLowPriorityGivesWayAndTheOthersDoNot)
{
    const int own = ::getpriority(PRIO_PROCESS, 0);
    int low = 0;
    int usual = 0;
    {
        Lane gentle{1, Lane::usual_limit, Lane::Priority::Low};
        Lane lane;
        ASSERT_TRUE(gentle.submit([&low] { low = ::getpriority(PRIO_PROCESS, 0); }));
        ASSERT_TRUE(lane.submit([&usual] { usual = ::getpriority(PRIO_PROCESS, 0); }));
    }
    EXPECT_EQ(low, std::max(own, 10));
    EXPECT_EQ(usual, own);
}

TEST(LaneTest, AFullQueueRefusesTheJobAndKeepsTheOthers)
{
    std::atomic<int> ran{0};
    std::latch began{1};
    std::latch go_on{1};
    {
        Lane lane{1, 2};
        ASSERT_TRUE(lane.submit([&] {
            began.count_down();
            go_on.wait();
        }));
        began.wait();
        EXPECT_TRUE(lane.submit([&ran] { ++ran; }));
        EXPECT_TRUE(lane.submit([&ran] { ++ran; }));
        EXPECT_FALSE(lane.submit([&ran] { ran += 100; }));
        go_on.count_down();
    }
    EXPECT_EQ(ran, 2);
}

TEST(LaneTest, ManyThreadsMaySubmitAtOnce)
{
    std::atomic<int> ran{0};
    {
        Lane lane{2, 100'000};
        std::vector<std::jthread> clients;
        for (int i = 0; i < 4; ++i) {
            clients.emplace_back([&] {
                for (int j = 0; j < 1000; ++j) {
                    EXPECT_TRUE(lane.submit([&ran] { ++ran; }));
                }
            });
        }
    }
    EXPECT_EQ(ran, 4000);
}

}  // namespace
}  // namespace banger
