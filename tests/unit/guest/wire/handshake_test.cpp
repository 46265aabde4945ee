// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/handshake.hpp"

#include <algorithm>
#include <random>
#include <string_view>

#include <gtest/gtest.h>

namespace banger::wire {
namespace {

Epoch counting(std::uint8_t first = 0)
{
    Epoch epoch;
    for (auto& byte : epoch.bytes) {
        byte = first++;
    }
    return epoch;
}

void add(Bytes& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }
void add(Bytes& out, const Epoch& epoch) { out.insert(out.end(), epoch.bytes.begin(), epoch.bytes.end()); }
void add(Bytes& out, const Bytes& bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

Bytes rubbish(std::size_t size)
{
    std::mt19937 random{11};
    Bytes bytes(size);
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random()); });
    return bytes;
}

TEST(HandshakeTest, ASyncHasTheBytesOfTheReadme)
{
    Bytes wanted;
    add(wanted, "BngrSync");
    add(wanted, Bytes{1, 0, 2, 1});  // versions 1 to 258
    add(wanted, counting());
    add(wanted, Bytes{0x60, 0xc7, 0x41, 0x16});
    EXPECT_EQ(encode(Sync{1, 258, counting()}), wanted);
    EXPECT_EQ(wanted.size(), 32U);
}

TEST(HandshakeTest, ASyncAckHasTheBytesOfTheReadme)
{
    Bytes wanted;
    add(wanted, "BngrAckd");
    add(wanted, counting());
    add(wanted, Bytes{1, 0, 2, 0});  // version, length of the hello
    add(wanted, "hi");
    add(wanted, Bytes{0x7b, 0xda, 0xe4, 0x39});
    EXPECT_EQ(encode(SyncAck{counting(), 1, {'h', 'i'}}), wanted);
}

TEST(HandshakeTest, AHelloThatIsTooLongIsCutAndTheAnswerStillFound)
{
    const Bytes ack = encode(SyncAck{counting(), 1, Bytes(max_hello + 1, 'x')});
    EXPECT_EQ(ack.size(), 32 + max_hello);
    Hunter hunter{counting()};
    ASSERT_TRUE(hunter.feed(ack));
    EXPECT_EQ(hunter.ack().hello.size(), max_hello);
}

TEST(HunterTest, ASyncIsFoundBehindAnyRubbish)
{
    Bytes in = rubbish(5000);
    add(in, "BngrSyn");
    add(in, "BngrBngrSyncBngrSyn");
    add(in, Bytes(100, 0));
    add(in, encode(Sync{1, 3, counting(9)}));
    Hunter hunter;
    ASSERT_TRUE(hunter.feed(in));
    EXPECT_EQ(hunter.sync().version_min, 1);
    EXPECT_EQ(hunter.sync().version_max, 3);
    EXPECT_EQ(hunter.sync().epoch, counting(9));
    EXPECT_TRUE(hunter.take_rest().empty());
}

TEST(HunterTest, ASyncThatComesByteByByteIsWholeWithItsLastOne)
{
    Bytes in = rubbish(100);
    add(in, "BngrSync");
    add(in, encode(Sync{1, 1, counting()}));
    Hunter hunter;
    for (std::size_t i = 0; i < in.size(); ++i) {
        ASSERT_EQ(hunter.feed(ByteView{in}.subspan(i, 1)), i + 1 == in.size()) << i;
    }
}

TEST(HunterTest, WhatFollowsTheMessageIsTheRest)
{
    Bytes in = encode(Sync{1, 1, counting()});
    add(in, "frames");
    Hunter hunter;
    ASSERT_TRUE(hunter.feed(in));
    Bytes wanted;
    add(wanted, "frames");
    EXPECT_EQ(hunter.take_rest(), wanted);
}

TEST(HunterTest, AnyDamagedByteMakesASyncNone)
{
    const Bytes good = encode(Sync{1, 1, counting()});
    for (std::size_t i = 0; i < good.size(); ++i) {
        Bytes damaged = good;
        damaged[i] ^= 0x40;
        Hunter hunter;
        EXPECT_FALSE(hunter.feed(damaged)) << i;
        EXPECT_TRUE(hunter.feed(good)) << i;
    }
}

TEST(HunterTest, AMessageThatBeginsInsideADamagedOneIsFound)
{
    const Bytes good = encode(Sync{1, 1, counting()});
    for (std::size_t cut = 1; cut < good.size(); ++cut) {  // a host that died in the middle of its Sync
        Bytes in(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut));
        add(in, encode(Sync{1, 1, counting(50)}));
        Hunter hunter;
        ASSERT_TRUE(hunter.feed(in)) << cut;
        EXPECT_EQ(hunter.sync().epoch, counting(50));
    }
}

TEST(HunterTest, AnAckOfAnotherEpochIsPassedOver)
{
    Hunter hunter{counting(1)};
    EXPECT_FALSE(hunter.feed(encode(SyncAck{counting(2), 1, {}})));
    EXPECT_TRUE(hunter.feed(encode(SyncAck{counting(1), 7, {'h'}})));
    EXPECT_EQ(hunter.ack().version, 7);
    EXPECT_EQ(hunter.ack().epoch, counting(1));
    EXPECT_EQ(hunter.ack().hello, Bytes{'h'});
}

TEST(HunterTest, AnAckThatClaimsALongHelloDoesNotHideTheRealOne)
{
    Bytes in;
    add(in, "BngrAckd");
    add(in, counting());
    add(in, Bytes{1, 0, 0x01, 0x10});  // 4097 bytes
    add(in, encode(SyncAck{counting(), 1, {}}));
    Hunter hunter{counting()};
    EXPECT_TRUE(hunter.feed(in));
}

TEST(HunterTest, ItsMemoryIsBoundedWhateverComes)
{
    Bytes claim;
    add(claim, "BngrAckd");
    add(claim, counting());
    add(claim, Bytes{1, 0, 0x00, 0x10});  // 4096 bytes, the most
    Hunter hunter{counting()};
    for (int i = 0; i < 50'000; ++i) {
        ASSERT_FALSE(hunter.feed(claim));
    }
    EXPECT_LE(hunter.take_rest().size(), 32 + max_hello + claim.size());
}

}  // namespace
}  // namespace banger::wire
