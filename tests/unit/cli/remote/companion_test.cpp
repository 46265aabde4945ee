// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/remote/companion.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include "common/error.hpp"

namespace banger::cli {
namespace {

class CompanionTest : public testing::Test {
protected:
    Companion::Streams streams() const { return {null.get(), null.get(), null.get()}; }

    UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    SignalInbox signals{SIGTERM, SIGHUP};
};

TEST_F(CompanionTest, ItsExitCodeIsOurs)
{
    Companion shell{"sh", {"sh", "-c", "exit 3"}, streams()};
    EXPECT_EQ(shell.wait(signals, -1), 3);
    Companion killed{"sh", {"sh", "-c", "kill -9 $$"}, streams()};
    EXPECT_EQ(killed.wait(signals, -1), 137);
}

TEST_F(CompanionTest, OneThatIsNotThereIsSaid)
{
    try {
        const Companion none{"no-such-program-of-banger-s", {"no-such-program-of-banger-s"}, streams()};
        ADD_FAILURE() << "it was started";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
    }
}

TEST_F(CompanionTest, ASignalIsPassedOn)
{
    Companion sleeper{"sleep", {"sleep", "60"}, streams()};
    ::kill(::getpid(), SIGTERM);
    EXPECT_EQ(sleeper.wait(signals, -1), 128 + SIGTERM);
}

TEST_F(CompanionTest, ALostReaderHangsItUp)
{
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    UniqueFd reader{ends[0]};
    const UniqueFd writer{ends[1]};
    Companion sleeper{"sleep", {"sleep", "60"}, {null.get(), writer.get(), null.get()}};
    reader.reset();
    EXPECT_EQ(sleeper.wait(signals, writer.get()), 128 + SIGHUP);
}

TEST_F(CompanionTest, AReaderThatIsThereHangsNothingUp)
{
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader{ends[0]};
    const UniqueFd writer{ends[1]};
    Companion shell{"sh", {"sh", "-c", "exit 0"}, {null.get(), writer.get(), null.get()}};
    EXPECT_EQ(shell.wait(signals, writer.get()), 0);
}

}  // namespace
}  // namespace banger::cli
