// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/stop_wait.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

#include "common/error.hpp"

namespace banger::agent {
namespace {

class StopWaitTest : public ::testing::Test {
protected:
    StopWaitTest()
    {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }

    UniqueFd reader;
    UniqueFd writer;
    std::stop_source source;
};

TEST_F(StopWaitTest, WhatIsReadyIsNotWaitedFor)
{
    const StopWait wait{source.get_token()};
    wait.until_ready(writer.get(), POLLOUT);
    ASSERT_EQ(::write(writer.get(), "x", 1), 1);
    wait.until_ready(reader.get(), POLLIN);
    writer.reset();
    wait.until_ready(reader.get(), POLLIN);  // the end counts, too
}

TEST_F(StopWaitTest, AStopEndsAWaitThatWouldLastForEver)
{
    const StopWait wait{source.get_token()};
    std::thread other{[this] { source.request_stop(); }};
    try {
        wait.until_ready(reader.get(), POLLIN);
        ADD_FAILURE() << "nothing was there to be read";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Cancelled);
    }
    other.join();
    EXPECT_THROW(wait.until_ready(reader.get(), POLLIN), Error) << "and all that come after it";
}

TEST_F(StopWaitTest, AStopBeforeItsBeginIsSeen)
{
    source.request_stop();
    const StopWait wait{source.get_token()};
    EXPECT_THROW(wait.until_ready(reader.get(), POLLIN), Error);
}

}  // namespace
}  // namespace banger::agent
