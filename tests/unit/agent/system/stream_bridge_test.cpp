// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/stream_bridge.hpp"

#include <sys/socket.h>

#include <array>
#include <string>

#include "agent/system/unix_socket.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

/// What goes through a GuestSession is in guest_streams_test.cpp; here is the sink by itself.
class FdSinkTest : public test::LoopTest {
protected:
    void write(std::string_view text)
    {
        sink.write(wire::ByteView{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }
    std::string read_some()
    {
        std::string text(65536, '\0');
        const auto got = ::recv(pair.theirs.get(), text.data(), text.size(), MSG_DONTWAIT);
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return text;
    }
    bool quiet()
    {
        constexpr std::uint64_t microseconds = 30'000;
        int turns = 1000;
        while (turns > 0 && sd_event_run(loop.get(), microseconds) > 0) {
            --turns;
        }
        return turns > 0;
    }

    std::size_t consumed{0};
    SocketPair pair{make_socket_pair(SOCK_STREAM)};
    FdSink sink{loop, std::move(pair.ours), [this](std::size_t count) { consumed += count; }};
};

TEST_F(FdSinkTest, WhatTheSocketTakesIsConsumedAtOnceAndTheRestWhenItIsRead)
{
    std::string sent;
    while (consumed == sent.size()) {
        const std::string piece(10'000, static_cast<char>('a' + sent.size() / 10'000 % 26));
        sent += piece;
        write(piece);
        ASSERT_LT(sent.size(), 100'000'000U);
    }
    write("the end");
    sent += "the end";
    EXPECT_TRUE(quiet());  // a client that doesn't read costs no turns
    const auto stalled = consumed;
    EXPECT_LT(stalled, sent.size());
    std::string got;
    EXPECT_TRUE(drive([&] {
        got += read_some();
        return got.size() >= sent.size();
    }));
    EXPECT_TRUE(got == sent);
    EXPECT_EQ(consumed, sent.size());
    EXPECT_TRUE(quiet());
}

TEST_F(FdSinkTest, ItIsDrainedOnlyWhenAllIsWrittenAndThenTheClientSeesTheEnd)
{
    const std::string much(1'000'000, 'x');
    write(much);
    bool drained = false;
    sink.finish([&] { drained = true; });
    EXPECT_TRUE(sink.finishing());
    EXPECT_TRUE(quiet());
    EXPECT_FALSE(drained);
    std::size_t got = 0;
    EXPECT_TRUE(drive([&] {
        got += read_some().size();
        return drained;
    }));
    got += read_some().size();
    EXPECT_TRUE(drive([&] {
        got += read_some().size();
        return got == much.size();
    }));
    char none = 0;
    EXPECT_EQ(::recv(pair.theirs.get(), &none, 1, MSG_DONTWAIT), 0);
}

TEST_F(FdSinkTest, AClientThatLeavesIsToldOnceAndNothingIsKeptForIt)
{
    int broken = 0;
    sink.on_broken([&] { ++broken; });
    const std::string much(1'000'000, 'x');
    write(much);
    EXPECT_LT(consumed, much.size());
    pair.theirs.reset();
    EXPECT_TRUE(drive([&] { return broken > 0; }));
    EXPECT_EQ(consumed, much.size());
    write("more");
    EXPECT_EQ(consumed, much.size() + 4);
    bool drained = false;
    sink.finish([&] { drained = true; });
    EXPECT_TRUE(drained);
    EXPECT_TRUE(quiet());
    EXPECT_EQ(broken, 1);
}

TEST_F(FdSinkTest, AClientThatReadsNoMoreButStaysIsLikeOneThatLeft)
{
    const std::string much(1'000'000, 'x');
    write(much);
    read_some();
    ASSERT_EQ(::shutdown(pair.theirs.get(), SHUT_RD), 0);
    EXPECT_TRUE(drive([&] {
        read_some();  // what is in the socket already, which makes it writable
        return consumed == much.size();
    }));
    EXPECT_TRUE(quiet());
}

}  // namespace
}  // namespace banger::agent
