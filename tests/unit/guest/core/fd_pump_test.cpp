// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/fd_pump.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>

#include "tests/unit/guest/wire/mux_pair.hpp"

namespace banger::guest {
namespace {

using namespace std::chrono_literals;
using wire::test::Recorder;

struct GuestEnd : Recorder {
    void on_data(wire::StreamId /*stream*/, wire::ByteView data) override
    {
        if (sink != nullptr) {
            sink->data(data);
        }
    }
    void on_writable(wire::StreamId /*stream*/) override
    {
        if (source != nullptr) {
            source->writable();
        }
    }
    FdSink* sink{nullptr};
    FdSource* source{nullptr};
};

/// One stream between a host and the pump of a guest, whose other side is a pipe.
class FdPumpTest : public testing::Test {
protected:
    FdPumpTest()
    {
        ::signal(SIGPIPE, SIG_IGN);  // as main() does
        int fds[2];
        EXPECT_EQ(::pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        read_end.reset(fds[0]);
        write_end.reset(fds[1]);
        guest.mux = &guest_mux;
        host.mux = &host_mux;
        settle();
        stream = host_mux.open(wire::test::bytes("open"));
        settle();
        link.emplace(guest_mux, stream);
        sink.emplace(loop, *link);
        source.emplace(loop, *link);
        loop.after_each_round([this] {
            settle();
            if (condition && condition()) {
                loop.quit();
            }
        });
    }
    static std::size_t move(wire::Mux& from, wire::Mux& to)
    {
        const auto view = from.output();
        const wire::Bytes piece(view.begin(), view.end());
        from.sent(piece.size());
        to.feed(piece);
        return piece.size();
    }
    void settle()
    {
        while (move(host_mux, guest_mux) + move(guest_mux, host_mux) > 0) {
        }
    }
    bool wait(std::function<bool()> until)
    {
        bool late = false;
        const auto timer = loop.after(10s, [&] {
            late = true;
            loop.quit();
        });
        condition = std::move(until);
        loop.run();
        condition = nullptr;
        return !late;
    }
    void start_sink()
    {
        guest.sink = &*sink;
        sink->start(write_end.get(), [this] { ++ends; });
    }
    void start_source()
    {
        guest.source = &*source;
        source->start(read_end.get(), [this] {
            ++ends;
            link->end();
        });
    }
    std::size_t drain()
    {
        std::array<char, 65536> buffer;  // NOLINT: filled by read
        std::size_t all = 0;
        for (ssize_t count = 0; (count = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;) {
            all += static_cast<std::size_t>(count);
        }
        return all;
    }
    std::size_t sent() { return host.streams[stream].sent; }
    std::size_t received() { return host.streams[stream].data.size(); }

    Loop loop;
    GuestEnd guest;
    Recorder host;
    wire::Mux guest_mux{guest};
    wire::Mux host_mux{host, wire::test::epoch_of(1)};
    wire::StreamId stream{0};
    std::optional<Link> link;
    std::optional<FdSink> sink;
    std::optional<FdSource> source;
    UniqueFd read_end;
    UniqueFd write_end;
    int ends{0};
    std::function<bool()> condition;
};

TEST_F(FdPumpTest, AReaderThatSleepsStopsTheHostAtItsWindow)
{
    start_sink();
    host.send(stream, std::string(1'000'000, 'x'));
    settle();
    const auto pipe = static_cast<std::size_t>(::fcntl(write_end.get(), F_GETPIPE_SZ));
    EXPECT_GE(sent(), wire::stream_window);
    EXPECT_LE(sent(), wire::stream_window + pipe);
    std::size_t all = 0;
    ASSERT_TRUE(wait([&] {
        all += drain();
        return all == 1'000'000;
    }));
    EXPECT_EQ(ends, 0);
}

TEST_F(FdPumpTest, TheEndComesOnceAndAfterTheLastByte)
{
    start_sink();
    host.send(stream, std::string(200'000, 'x'));
    settle();
    sink->eof();
    EXPECT_EQ(ends, 0);
    std::size_t all = 0;
    ASSERT_TRUE(wait([&] {
        all += drain();
        return ends > 0;
    }));
    EXPECT_EQ(all + drain(), 200'000U);
    sink->eof();
    EXPECT_EQ(ends, 1);
}

TEST_F(FdPumpTest, DataForAReaderThatIsGoneIsTakenToNowhere)
{
    start_sink();
    read_end.reset();
    host.send(stream, std::string(1'000'000, 'x'));
    settle();
    EXPECT_TRUE(sink->broken());
    EXPECT_EQ(sent(), 1'000'000U);
}

TEST_F(FdPumpTest, AReaderThatGoesWhileDataWaitsIsAnEnd)
{
    start_sink();
    host.send(stream, std::string(200'000, 'x'));
    settle();
    sink->eof();
    read_end.reset();
    ASSERT_TRUE(wait([&] { return ends == 1; }));
    EXPECT_TRUE(sink->broken());
}

TEST_F(FdPumpTest, DataBeforeTheStartIsKept)
{
    guest.sink = &*sink;
    host.send(stream, "early");
    settle();
    sink->eof();
    sink->start(write_end.get(), [this] { ++ends; });
    EXPECT_EQ(drain(), 5U);
    EXPECT_EQ(ends, 1);
}

TEST_F(FdPumpTest, ASourceStopsAtTheWindowAndGoesOnWithCredit)
{
    host.consuming = false;
    start_source();
    const std::string block(65536, 'x');
    std::size_t given = 0;
    const auto give = [&] {
        while (given < 600'000) {
            const auto count =
                ::write(write_end.get(), block.data(), std::min<std::size_t>(block.size(), 600'000 - given));
            if (count <= 0) {
                return;
            }
            given += static_cast<std::size_t>(count);
        }
        write_end.reset();
    };
    ASSERT_TRUE(wait([&] {
        give();
        return received() == wire::stream_window;
    }));
    EXPECT_EQ(ends, 0);
    host.consuming = true;
    host_mux.consume(stream, wire::stream_window);
    ASSERT_TRUE(wait([&] {
        give();
        return host.streams[stream].eof;
    }));
    EXPECT_EQ(received(), 600'000U);
    EXPECT_EQ(ends, 1);
}

TEST_F(FdPumpTest, APipeThatOthersHoldEndsOnceItIsEmpty)
{
    start_source();
    ASSERT_EQ(::write(write_end.get(), "last", 4), 4);
    source->finish_when_empty();
    ASSERT_TRUE(wait([&] { return host.streams[stream].eof; }));
    EXPECT_EQ(host.streams[stream].data, "last");
    EXPECT_TRUE(source->done());
}

TEST_F(FdPumpTest, WhatIsDiscardedIsReadAndNotSent)
{
    start_source();
    source->discard();
    ASSERT_EQ(::write(write_end.get(), "unheard", 7), 7);
    write_end.reset();
    ASSERT_TRUE(wait([&] { return ends == 1; }));
    EXPECT_EQ(received(), 0U);
}

TEST_F(FdPumpTest, AStoppedSourceEndsNothing)
{
    start_source();
    source->stop();
    write_end.reset();
    source->writable();
    settle();
    EXPECT_EQ(ends, 0);
    EXPECT_TRUE(source->done());
}

}  // namespace
}  // namespace banger::guest
