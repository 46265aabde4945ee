// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/dm_text.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::broker {
namespace {

using State = SnapshotStatus::State;

TEST(DmText, ATableNamesBothDevicesAndStopsWhereItIsFull)
{
    EXPECT_EQ(snapshot_table({7, 1}, {7, 12}), "7:1 7:12 PO 8");
    EXPECT_EQ(parse_snapshot_cow("7:1 7:12 PO 8"), (BlockDevice{7, 12}));
    for (const auto* bad : {"", "7:1", "7:1 7:", "7:1 7:12", "7 7:12 PO 8", "a:b c:d PO 8", "7:1 99999999999:1 PO 8"}) {
        EXPECT_THROW(parse_snapshot_cow(bad), Error) << bad;
    }
    EXPECT_EQ(dm_node(SandboxKey::parse("1000-web")), "/dev/mapper/banger-1000-web");
}

TEST(DmText, AStatusIsReadInBytes)
{
    const auto status = parse_snapshot_status("16/8192 8", true);
    EXPECT_EQ(status.state, State::Active);
    EXPECT_EQ(status.used.bytes(), 8192U);
    EXPECT_EQ(status.total, 4 * mib);
    EXPECT_TRUE(status.held);
    EXPECT_EQ(parse_snapshot_status("Overflow", false).state, State::Overflow);
    for (const auto* word : {"Invalid", "Merge failed", "Unknown"}) {
        EXPECT_EQ(parse_snapshot_status(word, false).state, State::Invalid);
    }
    for (const auto* bad : {"", "16", "16/", "16/8192", "/8192 8", "-1/8192 8", "16/8192x8", "overflow"}) {
        EXPECT_THROW(parse_snapshot_status(bad, false), Error) << bad;
    }
}

}  // namespace
}  // namespace banger::broker
