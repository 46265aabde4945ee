// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/machine_stats.hpp"

#include <gtest/gtest.h>

namespace banger::guest {
namespace {

constexpr auto net_dev =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
    "compressed\n"
    "    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
    "  eth0:2000 9 0 0 0 0 0 0 3000 9 0 0 0 0 0 0\n"
    "  eth1: 1 9 0 0 0 0 0 0 2 9 0 0 0 0 0 0\n";

constexpr auto diskstats =
    " 254       0 vda 20 0 16 5 30 0 8 5 0 10 10 0 0 0 0 0 0\n"
    " 254       1 vda1 20 0 16 5 30 0 8 5 0 10 10 0 0 0 0 0 0\n"
    " 254      16 vdb 1 0 2 5 1 0 4 5 0 10 10\n";

TEST(MachineStatsTest, CountsWhatItIsToldTo)
{
    const auto network = network_moved(net_dev, [](std::string_view name) { return name.starts_with("eth"); });
    EXPECT_EQ(network.in, 2001U);
    EXPECT_EQ(network.out, 3002U);
    const auto disks = disks_moved(diskstats, [](std::string_view name) { return name != "vda1"; });
    EXPECT_EQ(disks.in, 18U * 512);
    EXPECT_EQ(disks.out, 12U * 512);
}

TEST(MachineStatsTest, OtherLinesCountNothing)
{
    const auto all = [](std::string_view) { return true; };
    for (const auto* text : {"", "\n\n", "eth0", "eth0: 1 2 3", "a b vda 1 2", ":::::::::::", "no newline at all"}) {
        EXPECT_EQ(network_moved(text, all).in, 0U) << text;
        EXPECT_EQ(disks_moved(text, all).out, 0U) << text;
    }
}

}  // namespace
}  // namespace banger::guest
