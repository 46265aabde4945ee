// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/event_loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <thread>
#include <vector>

namespace banger {
namespace {

using namespace std::chrono_literals;

class EventLoopTest : public ::testing::Test {
protected:
    EventLoopTest()
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
    void write_byte() const { EXPECT_EQ(::write(write_end.get(), "x", 1), 1); }

    EventLoop loop;
    UniqueFd read_end;
    UniqueFd write_end;
};

TEST_F(EventLoopTest, AllThatIsPostedBeforeItWakesRunsInOrderAndSoDoesWhatThatPosts)
{
    std::vector<int> order;
    loop.post([&] {
        order.push_back(1);
        loop.post([&] { order.push_back(4); });
        loop.post([&] { order.push_back(5); });
        loop.post([&] { loop.quit(0); });
    });
    loop.post([&] { order.push_back(2); });
    loop.post([&] { order.push_back(3); });
    EXPECT_EQ(loop.run(), 0);
    EXPECT_EQ(order, (std::vector{1, 2, 3, 4, 5}));
}

TEST_F(EventLoopTest, RunReturnsWhatQuitSays)
{
    loop.post([this] { loop.quit(7); });
    EXPECT_FALSE(loop.is_over());
    EXPECT_EQ(loop.run(), 7);
    EXPECT_TRUE(loop.is_over());
}

TEST_F(EventLoopTest, AReadableDescriptorIsTold)
{
    write_byte();
    std::uint32_t seen = 0;
    const auto source = loop.on_io(read_end.get(), EventLoop::readable, [&](std::uint32_t events) {
        seen = events;
        loop.quit(0);
    });
    loop.run();
    EXPECT_NE(seen & EventLoop::readable, 0U);
}

TEST_F(EventLoopTest, EventsOfInterestCanChange)
{
    write_byte();
    int calls = 0;
    EventLoop::Source source;
    source = loop.on_io(read_end.get(), EventLoop::readable, [&](std::uint32_t) {
        ++calls;
        source.set_io_events(0);
    });
    const auto end = loop.after(50ms, [this] { loop.quit(0); });
    loop.run();
    EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ASourceMayGoInItsOwnCallback)
{
    write_byte();
    int calls = 0;
    EventLoop::Source source;
    source = loop.on_io(read_end.get(), EventLoop::readable, [&](std::uint32_t) {
        source.reset();
        ++calls;  // the captures still live: ASan sees it if they don't
    });
    const auto end = loop.after(50ms, [this] { loop.quit(0); });
    loop.run();
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(source);
}

TEST_F(EventLoopTest, ATimerMayStartTheNextOneInItsOwnPlace)
{
    int fired = 0;
    EventLoop::Source timer;
    std::function<void()> again = [&] {
        if (++fired == 3) {
            loop.quit(0);
        } else {
            timer = loop.after(1ms, again);
        }
    };
    timer = loop.after(1ms, again);
    loop.run();
    EXPECT_EQ(fired, 3);
}

TEST_F(EventLoopTest, ADestroyedSourceStaysSilent)
{
    bool fired = false;
    {
        const auto timer = loop.after(1ms, [&] { fired = true; });
    }
    const auto end = loop.after(30ms, [this] { loop.quit(0); });
    loop.run();
    EXPECT_FALSE(fired);
}

TEST_F(EventLoopTest, SignalsArrive)
{
    const auto source = loop.on_signal(SIGUSR1, [this] { loop.quit(1); });
    ::raise(SIGUSR1);
    EXPECT_EQ(loop.run(), 1);
}

TEST_F(EventLoopTest, TasksPostedByOtherThreadsRunOnTheLoopInOrder)
{
    constexpr int count = 10'000;
    std::vector<int> seen;
    const auto here = std::this_thread::get_id();
    std::jthread other{[&] {
        for (int i = 0; i < count; ++i) {
            loop.post([&, i] {
                EXPECT_EQ(std::this_thread::get_id(), here);
                seen.push_back(i);
            });
        }
        loop.post([this] { loop.quit(0); });
    }};
    loop.run();
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_F(EventLoopTest, ATaskMayPostAnother)
{
    loop.post([this] { loop.post([this] { loop.quit(3); }); });
    EXPECT_EQ(loop.run(), 3);
}

TEST_F(EventLoopTest, IdleWorkRunsOnce)
{
    int calls = 0;
    const auto idle = loop.on_idle([&] { ++calls; });
    const auto end = loop.after(20ms, [this] { loop.quit(0); });
    loop.run();
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace banger
