// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/frame.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace banger::wire {
namespace {

TEST(FrameTest, AFrameHasTheBytesOfTheReadme)
{
    Bytes out{0xee};  // is appended to
    append_frame(out, 0x04030201, 0x00000a05, FrameType::Message, flag_more, Bytes{7, 8, 9});
    const Bytes wanted{0xee, 1, 2, 3, 4, 5, 10, 0, 0, 8, 1, 0, 0, 3, 0, 0, 0, 7, 8, 9, 1, 2, 3, 4};
    EXPECT_EQ(out, wanted);
}

TEST(FrameTest, AHeaderIsReadAsItWasWritten)
{
    Bytes out;
    append_frame(out, 0xfedcba98, 0x89abcdef, FrameType::Close, 0, Bytes(300, 'x'));
    const auto header = read_header(out);
    EXPECT_EQ(header.tag, 0xfedcba98U);
    EXPECT_EQ(header.stream, 0x89abcdefU);
    EXPECT_EQ(header.type, FrameType::Close);
    EXPECT_EQ(header.flags, 0);
    EXPECT_EQ(header.reserved, 0);
    EXPECT_EQ(header.length, 300U);
    EXPECT_EQ(out.size(), header_size + 300 + trailer_size);
}

TEST(FrameTest, NumbersAreLittleEndian)
{
    Bytes out;
    put_u16(out, 0x1234);
    put_u32(out, 0xfffefdfc);
    EXPECT_EQ(out, (Bytes{0x34, 0x12, 0xfc, 0xfd, 0xfe, 0xff}));
    EXPECT_EQ(get_u16(out), 0x1234);
    EXPECT_EQ(get_u32(ByteView{out}.subspan(2)), 0xfffefdfcU);
}

TEST(FrameTest, ATagHasNoZeroByte)
{
    Epoch epoch;
    epoch.bytes = {1, 0, 255, 0, 9};
    EXPECT_EQ(epoch.tag(), 0xa5ffa501U);
}

TEST(FrameTest, EpochsDiffer)
{
    const auto epoch = Epoch::random();
    EXPECT_NE(epoch, Epoch::random());
    EXPECT_TRUE(std::any_of(epoch.bytes.begin() + 8, epoch.bytes.end(), [](auto byte) { return byte != 0; }));
}

}  // namespace
}  // namespace banger::wire
