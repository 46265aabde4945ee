// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/mux.hpp"

#include "common/error.hpp"
#include "tests/unit/guest/wire/mux_pair.hpp"

#include <random>

#include <gtest/gtest.h>

namespace banger::wire::test {
namespace {

class MuxTest : public testing::Test {
protected:
    MuxTest()
    {
        pair.connect();
        pair.settle();
    }
    Recorder& host() { return *pair.host; }
    Mux& host_mux() { return *pair.host_mux; }
    Pair pair;
};

TEST_F(MuxTest, TheHostLearnsTheGuestsHello)
{
    EXPECT_EQ(host().synced, 1);
    EXPECT_EQ(host().hello_text, "hello");
    EXPECT_EQ(pair.guest.synced, 1);
}

TEST_F(MuxTest, DataGoesBothWaysAndEndsByEof)
{
    const auto stream = host_mux().open(bytes("open"));
    host().send(stream, "ping");
    host_mux().end(stream);
    pair.settle();
    EXPECT_TRUE(host().streams[stream].opened);
    EXPECT_EQ(pair.guest.streams[stream].open, "open");
    EXPECT_EQ(pair.guest.streams[stream].data, "ping");
    EXPECT_TRUE(pair.guest.streams[stream].eof);
    pair.guest.send(stream, "pong");
    pair.settle();
    EXPECT_EQ(host().streams[stream].data, "pong");
}

TEST_F(MuxTest, ARefusedStreamIsForgottenOnBothSidesWithItsSecondary)
{
    pair.guest.accepting = false;
    const auto secondary = host_mux().add_stream();
    const auto stream = host_mux().open(bytes("open"), secondary);
    host().send(stream, "early");  // on its way before the answer
    pair.settle();
    EXPECT_TRUE(host().streams[stream].refused);
    EXPECT_EQ(host_mux().streams(), 0U);
    EXPECT_EQ(pair.guest_mux.streams(), 0U);
    EXPECT_EQ(pair.guest.lost, 0);
}

TEST_F(MuxTest, AStreamClosedByTheHostBeforeItsRefusalComesIsForgottenToo)
{
    pair.guest.accepting = false;
    const auto secondary = host_mux().add_stream();
    const auto stream = host_mux().open(bytes("open"), secondary);
    host_mux().close(stream);
    pair.settle();
    EXPECT_EQ(host_mux().streams(), 0U);
    EXPECT_EQ(pair.guest_mux.streams(), 0U);
    EXPECT_EQ(host().lost + pair.guest.lost, 0);
}

TEST_F(MuxTest, AMessageComesAfterTheDataWrittenBeforeIt)
{
    const auto stream = host_mux().open(bytes("open"));
    pair.settle();
    pair.guest.send(stream, std::string(100'000, 'x'));
    pair.guest_mux.message(stream, bytes("exited"));
    pair.guest_mux.close(stream);
    pair.settle();
    const auto& record = host().streams[stream];
    ASSERT_EQ(record.messages, std::vector<std::string>{"exited"});
    EXPECT_EQ(record.data_at_message, 100'000U);
    EXPECT_EQ(record.closed, CloseReason::Closed);
    EXPECT_EQ(host_mux().streams() + pair.guest_mux.streams(), 0U);
}

TEST_F(MuxTest, BothSidesMayCloseAtOnce)
{
    const auto stream = host_mux().open(bytes("open"));
    pair.settle();
    host_mux().close(stream);
    pair.guest_mux.reset(stream);
    pair.settle();
    EXPECT_EQ(host_mux().streams() + pair.guest_mux.streams(), 0U);
    EXPECT_EQ(host().lost + pair.guest.lost, 0);
}

TEST_F(MuxTest, AStreamWithoutConsumptionStopsAtItsWindowAndNoOther)
{
    const auto stalled = host_mux().open(bytes("stalled"));
    const auto other = host_mux().open(bytes("other"));
    pair.settle();
    host().streams[stalled].stalled = true;
    pair.guest.send(stalled, std::string(1'000'000, 's'));
    pair.guest.send(other, std::string(1'000'000, 'o'));
    pair.settle();
    EXPECT_EQ(host().streams[stalled].data.size(), stream_window);
    EXPECT_EQ(host().streams[other].data.size(), 1'000'000U);
    host().streams[stalled].stalled = false;
    host_mux().consume(stalled, stream_window);
    pair.settle();
    EXPECT_EQ(host().streams[stalled].data.size(), 1'000'000U);
}

TEST_F(MuxTest, WritersTakeTurns)
{
    std::vector<StreamId> streams;
    for (int i = 0; i < 8; ++i) {
        streams.push_back(host_mux().open(bytes("open")));
    }
    pair.settle();
    for (const auto stream : streams) {
        pair.guest.send(stream, std::string(4'000'000, 'x'));
    }
    std::size_t moved = 0;
    while (moved < 8'000'000) {
        moved += pair.to_host();
        pair.to_guest();
    }
    for (const auto stream : streams) {
        EXPECT_NEAR(static_cast<double>(host().streams[stream].data.size()), 1'000'000, 300'000);
    }
}

TEST_F(MuxTest, ControlDoesNotWaitBehindMuchData)
{
    const auto stream = host_mux().open(bytes("open"));
    pair.settle();
    pair.guest.send(stream, std::string(10'000'000, 'x'));
    pair.guest_mux.control(bytes("urgent"));
    std::size_t before = 0;
    while (host().controls.empty()) {
        before += pair.to_host(4096);
    }
    EXPECT_LT(before, 300'000U);
}

TEST_F(MuxTest, LongMessagesTravelInParts)
{
    const std::string text(200'000, 'm');
    host_mux().control(bytes(text));
    const auto stream = host_mux().open(bytes(text));
    pair.settle();
    ASSERT_EQ(pair.guest.controls.size(), 1U);
    EXPECT_EQ(pair.guest.controls[0], text);
    EXPECT_EQ(pair.guest.streams[stream].open, text);
    EXPECT_THROW(host_mux().control(Bytes(max_message + 1)), Error);
}

TEST_F(MuxTest, AtMost1024StreamsAreOpen)
{
    for (std::size_t i = 0; i < max_streams; ++i) {
        host_mux().open(bytes("open"));
    }
    EXPECT_THROW(host_mux().open(bytes("one more")), Error);
    pair.settle();
    EXPECT_EQ(pair.guest_mux.streams(), max_streams);
    EXPECT_EQ(pair.guest.lost, 0);
}

TEST_F(MuxTest, ANewHostEndsTheStreamsOfTheOlderOne)
{
    host_mux().open(bytes("open"));
    pair.settle();
    pair.connect(2);
    pair.settle();
    EXPECT_EQ(pair.guest.lost, 1);
    EXPECT_EQ(pair.guest.synced, 2);
    EXPECT_TRUE(host_mux().synced());
    EXPECT_EQ(pair.guest_mux.streams(), 0U);
}

TEST_F(MuxTest, AGuestProgramThatStartsAnewIsNoticedByTheHost)
{
    Recorder fresh;
    Mux restarted{fresh};
    const auto hello = restarted.output();
    host_mux().feed(hello);
    EXPECT_EQ(host().lost, 1);
    EXPECT_FALSE(host_mux().wants_write());
}

TEST_F(MuxTest, AGuestThatSpeaksAnotherVersionIsAnErrorOfTheHost)
{
    pair.connect(9);
    pair.host_mux->feed(encode(SyncAck{epoch_of(9), 0, {}}));
    EXPECT_EQ(host().lost, 1);
    EXPECT_NE(host().lost_why.find("version"), std::string::npos);
}

TEST_F(MuxTest, APeerThatReadsNoAnswersIsNotReadFrom)
{
    EXPECT_TRUE(pair.guest_mux.wants_input());
    for (int i = 0; i < 100 && pair.guest_mux.wants_input(); ++i) {
        pair.guest_mux.control(Bytes(32'000));
    }
    EXPECT_FALSE(pair.guest_mux.wants_input());
}

/// One frame of a peer, as a Mux of this test's epoch takes it.
Bytes frame(StreamId stream, FrameType type, const Bytes& payload, std::uint8_t flags = 0)
{
    Bytes out;
    append_frame(out, epoch_of(1).tag(), stream, type, flags, payload);
    return out;
}

TEST_F(MuxTest, APeerThatBreaksARuleLosesTheConnectionAndNothingElse)
{
    const std::vector<Bytes> bad{
        frame(7, FrameType::Data, bytes("x")),                // not open
        frame(0, FrameType::Data, bytes("x")),                // not a data stream
        frame(7, FrameType::Opened, {}),                      // only a guest says so
        frame(7, FrameType{77}, {}),                          // unknown
        frame(7, FrameType::Data, bytes("x"), 1),             // no parts of data
        frame(0, FrameType::Control, Bytes(max_payload), 3),  // unknown flag
        [] {
            auto two = frame(7, FrameType::Open, {});
            const auto again = two;
            two.insert(two.end(), again.begin(), again.end());
            return two;
        }(),
        [] {
            auto open = frame(7, FrameType::Open, {});
            const auto more = frame(7, FrameType::Credit, {1, 0, 0, 0});
            open.insert(open.end(), more.begin(), more.end());
            return open;
        }(),
        [] {
            auto part = frame(0, FrameType::Control, bytes("a"), flag_more);
            const auto other = frame(7, FrameType::Open, {});
            part.insert(part.end(), other.begin(), other.end());
            return part;
        }(),
    };
    for (const auto& input : bad) {
        Pair fresh;
        fresh.connect();
        fresh.settle();
        fresh.guest_mux.feed(input);
        EXPECT_EQ(fresh.guest.lost, 1);
        fresh.settle();
        EXPECT_EQ(fresh.host->lost, 1) << "the host was not told";
        fresh.connect(3);
        fresh.settle();
        EXPECT_TRUE(fresh.host_mux->synced());
    }
}

TEST_F(MuxTest, DataBeyondTheCreditBreaksTheConnection)
{
    pair.guest.consuming = false;
    pair.guest_mux.feed(frame(7, FrameType::Open, {}));
    for (std::size_t i = 0; i < stream_window / max_payload; ++i) {
        pair.guest_mux.feed(frame(7, FrameType::Data, Bytes(max_payload)));
    }
    EXPECT_EQ(pair.guest.lost, 0);
    pair.guest_mux.feed(frame(7, FrameType::Data, Bytes(1)));
    EXPECT_EQ(pair.guest.lost, 1);
}

TEST_F(MuxTest, AMessageLargerThanTheLimitBreaksTheConnection)
{
    for (std::size_t i = 0; i < max_message / max_payload; ++i) {
        pair.guest_mux.feed(frame(0, FrameType::Control, Bytes(max_payload), flag_more));
    }
    EXPECT_EQ(pair.guest.lost, 0);
    pair.guest_mux.feed(frame(0, FrameType::Control, Bytes(1)));
    EXPECT_EQ(pair.guest.lost, 1);
}

/// A host dies after each possible number of bytes of a frame that is full of look-alikes.
TEST(MuxEpochTest, AHostThatDiesAtAnyByteOfAFrameLeavesNothingForTheNext)
{
    Bytes content = encode(Sync{1, 1, epoch_of(66)});
    content.resize(200, 0);
    for (std::size_t cut = 0; cut <= 2 * (content.size() + header_size + trailer_size); ++cut) {
        Pair pair;
        pair.connect(1);
        pair.settle();
        const auto stream = pair.host_mux->open(bytes("open"));
        pair.settle();
        pair.host_mux->write(stream, content);
        pair.host_mux->write(stream, content);
        pair.to_guest(cut);
        pair.connect(2);
        pair.settle();
        ASSERT_TRUE(pair.host_mux->synced()) << cut;
        ASSERT_EQ(pair.guest.synced, 2) << cut;
        const auto next = pair.host_mux->open(bytes("again"));
        pair.settle();
        ASSERT_EQ(pair.guest.streams[next].open, "again") << cut;
        ASSERT_EQ(pair.guest.lost, 1) << cut;
    }
}

TEST(MuxEpochTest, AHostThatComesBackIgnoresAnyPartOfTheOldGuestFrames)
{
    Bytes content = encode(SyncAck{epoch_of(1), 1, bytes("old")});
    content.resize(200, 0x42);
    for (std::size_t cut = 0; cut <= 2 * (content.size() + header_size + trailer_size); ++cut) {
        Pair pair;
        pair.connect(1);
        pair.settle();
        const auto stream = pair.host_mux->open(bytes("open"));
        pair.settle();
        pair.guest_mux.write(stream, content);
        pair.guest_mux.write(stream, content);
        const auto view = pair.guest_mux.output();
        const Bytes left_in_the_pipe(view.begin(),
                                     view.begin() + static_cast<std::ptrdiff_t>(std::min(cut, view.size())));
        pair.guest_mux.sent(left_in_the_pipe.size());
        pair.connect(2);
        pair.host_mux->feed(left_in_the_pipe);
        pair.settle();
        ASSERT_TRUE(pair.host_mux->synced()) << cut;
        ASSERT_EQ(pair.host->hello_text, "hello") << cut;
        ASSERT_EQ(pair.host->lost, 0) << cut;
    }
}

class MuxPropertyTest : public testing::TestWithParam<unsigned> {};

/// Whatever the pieces in which bytes travel and wherever hosts die, what arrives is a prefix of what was sent, and all
/// of it in a connection that lives.
TEST_P(MuxPropertyTest, NothingIsLostOrMixedUp)
{
    std::mt19937 random{GetParam()};
    const auto below = [&](unsigned limit) { return static_cast<std::size_t>(random() % limit); };
    Pair pair;
    for (std::uint8_t connection = 1; connection <= 6; ++connection) {
        pair.connect(connection);
        while (!pair.host_mux->synced()) {
            pair.to_guest(1 + below(50'000));
            pair.to_host(1 + below(50'000));
        }
        pair.guest.streams.clear();
        std::vector<StreamId> streams;
        for (std::size_t i = 0; i < 1 + below(5); ++i) {
            streams.push_back(pair.host_mux->open(bytes("open")));
        }
        const bool dies = connection < 6;
        std::size_t steps = dies ? below(60) : SIZE_MAX;
        for (int round = 0; round < 10; ++round) {
            for (const auto stream : streams) {
                pair.host->send(stream, std::string(below(90'000), static_cast<char>('a' + stream % 26)));
            }
            for (std::size_t i = 0; i < 6 && steps > 0; ++i, --steps) {
                pair.to_guest(1 + below(70'000));
                pair.to_host(1 + below(70'000));
                for (const auto& [stream, record] : pair.guest.streams) {
                    if (pair.guest.streams[stream].to_send.size() < 300'000) {
                        pair.guest.send(stream, std::string(below(90'000), static_cast<char>('A' + stream % 26)));
                    }
                }
            }
        }
        if (!dies) {
            pair.settle();
        }
        ASSERT_EQ(pair.host->lost, 0);
        for (const auto stream : streams) {
            const auto& sent = pair.host->streams[stream];
            const auto& got = pair.guest.streams[stream];
            ASSERT_TRUE(sent.to_send.starts_with(got.data));
            ASSERT_TRUE(got.to_send.starts_with(sent.data));
            if (!dies) {
                ASSERT_EQ(got.data.size(), sent.to_send.size());
                ASSERT_EQ(sent.data.size(), got.to_send.size());
            }
        }
    }
    EXPECT_EQ(pair.guest.synced, 6);
}

INSTANTIATE_TEST_SUITE_P(Seeds, MuxPropertyTest, testing::Range(1U, 41U));

}  // namespace
}  // namespace banger::wire::test
