// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/frame_filter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/error.hpp"
#include "tests/unit/agent/netguard/frames.hpp"

namespace banger::netguard::test {
namespace {

bool passes(const Bytes& frame) { return may_pass(frame, rules()); }

TEST(MayPassTest, TheWorldIsReached)
{
    for (const auto* to :
         {"198.51.100.7", "192.0.2.1", "192.0.2.3", "10.0.0.1", "126.255.255.255", "128.0.0.0", "1.0.0.0",
          "169.253.255.255", "169.255.0.0", "223.255.255.255", "255.255.255.255", "169.254.77.2"}) {
        EXPECT_TRUE(passes(ipv4(to))) << to;
    }
    for (const auto* to : {"2001:db8::1", "fd00::1", "fd00:ec2::253", "fec0::1", "::1:0:0:0", "::1:0:0"}) {
        EXPECT_TRUE(passes(ipv6(to))) << to;
    }
}

TEST(MayPassTest, TheHostAndMetadataAreNot)
{
    for (const auto* to : {"0.0.0.0", "0.255.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0",
                           "169.254.169.254", "169.254.255.255", "169.254.77.1", "192.0.2.2", "203.0.113.5",
                           "224.0.0.251", "239.255.255.255", "100.100.100.200", "168.63.129.16"}) {
        EXPECT_FALSE(passes(ipv4(to))) << to;
    }
    for (const auto* to : {"::", "::1", "::127.0.0.1", "::ffff:198.51.100.7", "::ffff:127.0.0.1", "fe80::1", "febf::1",
                           "fe80::a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "2001:db8::5", "ff02::fb", "ff05::2"}) {
        EXPECT_FALSE(passes(ipv6(to))) << to;
    }
}

TEST(MayPassTest, AHostsOwnAddressBeatsAnException)
{
    auto mine = rules();
    mine.host = AddressSet{{Prefix::parse("169.254.77.2")}};
    EXPECT_FALSE(may_pass(ipv4("169.254.77.2"), mine));
}

TEST(MayPassTest, AHostThatAllowsItsOwnAddressesStillShieldsMetadata)
{
    Rules open;
    open.allowed = AddressSet{{Prefix::parse("169.254.77.1")}};
    EXPECT_TRUE(may_pass(ipv4("192.0.2.2"), open));
    EXPECT_TRUE(may_pass(ipv4("169.254.77.1"), open));
    EXPECT_FALSE(may_pass(ipv4("169.254.169.254"), open));
}

TEST(MayPassTest, ArpPasses) { EXPECT_TRUE(passes(arp())); }

TEST(MayPassTest, NeighbourDiscoveryPassesAndOtherIcmpToTheLinkDoesNot)
{
    for (const auto* to : {"fe80::1", "ff02::2", "ff02::1:ff00:1"}) {
        for (const unsigned type : {133U, 134U, 135U, 136U}) {
            EXPECT_TRUE(passes(icmpv6(to, type))) << to << " " << type;
        }
        for (const unsigned type : {128U, 132U, 137U, 143U}) {
            EXPECT_FALSE(passes(icmpv6(to, type))) << to << " " << type;
        }
    }
    EXPECT_TRUE(passes(icmpv6("2001:db8::1", 128)));
    EXPECT_FALSE(passes(icmpv6("2001:db8::5", 135))) << "the host's own addresses have no exception";
    EXPECT_FALSE(passes(ipv6("fe80::1", 58, {})));
}

TEST(MayPassTest, Dhcp6PassesAsMulticastAlone)
{
    Bytes payload;
    append(payload, {0x02, 0x22, 0x02, 0x23, 0, 8, 0, 0});
    EXPECT_TRUE(passes(ipv6("ff02::1:2", 17, payload)));
    EXPECT_FALSE(passes(ipv6("fe80::1", 17, payload)));
    EXPECT_FALSE(passes(ipv6("ff02::1:2", 6, payload)));
    payload.resize(3);
    EXPECT_FALSE(passes(ipv6("ff02::1:2", 17, payload)));
}

TEST(MayPassTest, NeighbourDiscoveryBehindAnExtensionHeaderIsNone)
{
    Bytes hop_by_hop(8);
    hop_by_hop[0] = std::byte{58};
    EXPECT_FALSE(passes(ipv6("fe80::1", 0, hop_by_hop)));
}

TEST(MayPassTest, TaggedAndForeignFramesAreDropped)
{
    for (const auto* to : {"198.51.100.7", "169.254.169.254"}) {
        Bytes tagged;
        append(tagged, {0, 5, 0x08, 0x00});
        tagged = tagged + ipv4_packet(to);
        for (const unsigned tag : {0x8100U, 0x88a8U, 0x9100U}) {
            EXPECT_FALSE(passes(ethernet(tag, tagged))) << to << " " << tag;
        }
    }
    for (const unsigned type : {0U, 46U, 0x0801U, 0x8035U, 0x8863U, 0xffffU}) {
        EXPECT_FALSE(passes(ethernet(type, ipv4_packet("198.51.100.7")))) << type;
    }
}

TEST(MayPassTest, TruncatedFramesAreDroppedAtEveryLength)
{
    const auto v4 = ipv4("198.51.100.7", 0);
    const auto v6 = ipv6("2001:db8::1", 17, {});
    for (const auto& frame : {v4, v6}) {
        for (std::size_t size = 0; size < frame.size(); ++size) {
            // Exactly this much memory: a look behind the end is seen by ASan.
            EXPECT_FALSE(passes(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
        }
        EXPECT_TRUE(passes(frame));
    }
}

TEST(MayPassTest, HeadersThatLieAreDropped)
{
    constexpr std::size_t first = 14;
    auto frame = ipv4("198.51.100.7", 0);
    for (const unsigned value : {0x44U, 0x40U, 0x46U, 0x4fU, 0x55U, 0x65U}) {
        frame[first] = static_cast<std::byte>(value);
        EXPECT_FALSE(passes(frame)) << value;
    }
    auto v6 = ipv6("2001:db8::1");
    v6[first] = std::byte{0x40};
    EXPECT_FALSE(passes(v6));
    EXPECT_FALSE(passes(ethernet(0x86dd, ipv4_packet("198.51.100.7", 40))));
    EXPECT_FALSE(passes(ethernet(0x0800, Bytes(60))));
}

TEST(MayPassTest, OptionsDoNotHideTheDestination)
{
    auto frame = ipv4("169.254.169.254", 40);
    frame[14] = std::byte{0x4f};
    EXPECT_FALSE(passes(frame));
    frame = ipv4("198.51.100.7", 40);
    frame[14] = std::byte{0x4f};
    EXPECT_TRUE(passes(frame));
}

TEST(MayPassTest, FramesLongerThanPasstTakesAreDropped)
{
    auto frame = ipv4("198.51.100.7");
    frame.resize(65535);
    EXPECT_TRUE(passes(frame));
    frame.resize(65536);
    EXPECT_FALSE(passes(frame));
}

/// What comes out when `bytes` come in pieces of `piece` bytes.
Bytes filtered(FrameStream& stream, std::span<const std::byte> bytes, std::size_t piece, std::size_t write = SIZE_MAX)
{
    Bytes out;
    while (!bytes.empty()) {
        const auto room = stream.room();
        const auto size = std::min({piece, bytes.size(), room.size()});
        EXPECT_GT(size, 0U);
        std::copy_n(bytes.begin(), size, room.begin());
        stream.arrived(size);
        bytes = bytes.subspan(size);
        for (auto run = stream.run(rules()); !run.empty(); run = stream.run(rules())) {
            const auto sent = std::min(write, run.size());
            out.insert(out.end(), run.begin(), run.begin() + static_cast<std::ptrdiff_t>(sent));
            stream.sent(sent);
        }
    }
    return out;
}

struct Traffic {
    Bytes in;
    Bytes out;
};

Traffic small_traffic()
{
    const auto good = framed(arp()) + framed(ipv4("198.51.100.7", 40));
    const auto bad = framed(ipv4("203.0.113.5")) + framed({}) + framed(ipv6("::1"));
    const auto more = framed(ipv6("2001:db8::1")) + framed(icmpv6("ff02::2", 133));
    return {good + bad + more + bad + good, good + more + good};
}

TEST(FrameStreamTest, ASplitAtAnyByteChangesNothing)
{
    const auto [in, out] = small_traffic();
    for (std::size_t at = 0; at <= in.size(); ++at) {
        FrameStream stream;
        const std::span whole{in};
        const auto before = filtered(stream, whole.first(at), SIZE_MAX);
        EXPECT_EQ(before + filtered(stream, whole.subspan(at), SIZE_MAX), out) << at;
        EXPECT_EQ(stream.dropped(), 6U);
    }
}

TEST(FrameStreamTest, PiecesAndWritesOfAnySizeChangeNothing)
{
    const auto [in, out] = small_traffic();
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 64U, 1000U}) {
        for (const std::size_t write : {1U, 3U, 50U, 1000U}) {
            FrameStream stream;
            EXPECT_EQ(filtered(stream, in, piece, write), out) << piece << " " << write;
        }
    }
}

TEST(FrameStreamTest, AllowedNeighboursAreOneRunAndDeniedOnesSplitIt)
{
    Bytes in;
    for (int frame = 0; frame < 10; ++frame) {
        in = in + framed(ipv4(frame == 4 || frame == 5 ? "127.0.0.1" : "198.51.100.7"));
    }
    FrameStream stream;
    std::ranges::copy(in, stream.room().begin());
    stream.arrived(in.size());
    const auto each = framed(ipv4("198.51.100.7")).size();
    EXPECT_EQ(stream.run(rules()).size(), 4 * each);
    stream.sent(4 * each);
    EXPECT_EQ(stream.run(rules()).size(), 4 * each);
    EXPECT_EQ(stream.dropped(), 2U);
    stream.sent(4 * each);
    EXPECT_TRUE(stream.run(rules()).empty());
}

TEST(FrameStreamTest, ARunEndsOnAFrameBorderBelowTheLimit)
{
    const auto frame = framed(ipv4("198.51.100.7", 1480));
    FrameStream stream;
    Bytes in;
    while (in.size() + frame.size() <= stream.room().size()) {
        in = in + frame;
    }
    std::ranges::copy(in, stream.room().begin());
    stream.arrived(in.size());
    std::size_t total = 0;
    for (auto run = stream.run(rules()); !run.empty(); run = stream.run(rules())) {
        EXPECT_LE(run.size(), FrameStream::run_limit);
        EXPECT_EQ(run.size() % frame.size(), 0U);
        total += run.size();
        stream.sent(run.size());
    }
    EXPECT_EQ(total, in.size());
}

TEST(FrameStreamTest, TheLongestFramePassesWhole)
{
    auto frame = ipv4("198.51.100.7");
    frame.resize(65535);
    const auto in = framed(arp()) + framed(frame) + framed(arp());
    FrameStream stream;
    EXPECT_EQ(filtered(stream, in, 1000), in);
}

TEST(FrameStreamTest, WhatQemuMaySendAndPasstDoesNotTakeIsDropped)
{
    auto frame = ipv4("198.51.100.7");
    frame.resize(FrameStream::frame_limit);
    FrameStream stream;
    EXPECT_EQ(filtered(stream, framed(frame) + framed(arp()), 4096), framed(arp()));
}

TEST(FrameStreamTest, ALengthBeyondTheLimitIsAnError)
{
    for (const std::uint64_t length : {std::uint64_t{FrameStream::frame_limit + 1}, std::uint64_t{0xffffffffU}}) {
        Bytes in = framed(arp());
        append_number(in, length, 4);
        FrameStream stream;
        EXPECT_THROW(filtered(stream, in, SIZE_MAX), Error) << length;
    }
}

TEST(FrameStreamTest, ThereIsAlwaysRoomForTheRestOfAFrame)
{
    auto largest = ipv4("198.51.100.7");
    largest.resize(FrameStream::frame_limit);
    std::mt19937 random{7};  // NOLINT(cert-msc51-cpp): the same each time
    Bytes in;
    for (int frame = 0; frame < 40; ++frame) {
        in = in + framed(random() % 2 == 0 ? largest : ipv4("198.51.100.7", random() % 1400));
    }
    FrameStream stream;
    filtered(stream, in, 60'000);  // expects room each time
}

TEST(FrameStreamTest, AnyBytesAreWithinBounds)
{
    std::mt19937 random{11};  // NOLINT(cert-msc51-cpp): the same each time
    FrameStream stream;
    for (int round = 0; round < 2000; ++round) {
        auto frame = round % 2 == 0 ? ipv4("198.51.100.7") : icmpv6("fe80::1", 135);
        frame.resize(random() % 80);
        for (int change = 0; change < 4 && !frame.empty(); ++change) {
            frame[random() % frame.size()] = static_cast<std::byte>(random());
        }
        const auto before = stream.dropped();
        const auto out = filtered(stream, framed(frame), 1 + random() % 20);
        EXPECT_EQ(out.size(), stream.dropped() == before ? frame.size() + 4 : 0);
    }
}

}  // namespace
}  // namespace banger::netguard::test
