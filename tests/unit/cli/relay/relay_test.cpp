// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/relay.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/error.hpp"
#include "tests/unit/cli/relay/ends.hpp"

namespace banger::cli {
namespace {

using nlohmann::json;

/// The guest's side of a command, played by the test.
struct Guest {
    UniqueFd input, output, error, control;

    void say(const std::string& text) const
    {
        EXPECT_EQ(::send(output.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }
    void end(const json& packet)
    {
        output.reset();
        error.reset();
        const auto text = packet.dump();
        EXPECT_EQ(::send(control.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }
    /// The next packet from the client; null at the end.
    json hear() const
    {
        std::array<char, 4096> packet{};
        const auto got = ::recv(control.get(), packet.data(), packet.size(), 0);
        return got > 0 ? json::parse(packet.data(), packet.data() + got) : json{};
    }
    std::string read_input() const
    {
        std::string all;
        std::array<char, 4096> block{};
        for (ssize_t got = 0; (got = ::read(input.get(), block.data(), block.size())) > 0;) {
            all.append(block.data(), static_cast<std::size_t>(got));
        }
        return all;
    }
};

class RelayTest : public testing::Test {
protected:
    RelayTest()
    {
        auto input = test::make_sockets(SOCK_STREAM);
        auto output = test::make_sockets(SOCK_STREAM);
        auto error = test::make_sockets(SOCK_STREAM);
        auto control = test::make_sockets(SOCK_SEQPACKET);
        command = {std::move(input.ours), std::move(output.ours), std::move(error.ours), std::move(control.ours)};
        guest = {std::move(input.theirs), std::move(output.theirs), std::move(error.theirs), std::move(control.theirs)};
        auto user_pipe = test::make_sockets(SOCK_STREAM);
        user_output = std::move(user_pipe.ours);
        shown = std::move(user_pipe.theirs);
    }

    CommandEnd run(int input, TerminalMode mode = TerminalMode::None)
    {
        return relay(std::move(command), {input, user_output.get(), user_output.get()}, mode, signals, farewell);
    }
    CommandEnd run()
    {
        const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        return run(null.get());
    }
    std::string shown_text()
    {
        user_output.reset();
        std::string all;
        std::array<char, 4096> block{};
        for (ssize_t got = 0; (got = ::read(shown.get(), block.data(), block.size())) > 0;) {
            all.append(block.data(), static_cast<std::size_t>(got));
        }
        return all;
    }
    /// Plays the guest in another thread, where the signals are blocked too.
    std::jthread play(std::function<void()> part) const { return std::jthread{std::move(part)}; }

    // First: the guest's thread inherits its mask, so that signals to the process wait for the relay.
    SignalInbox signals{SIGINT, SIGTERM, SIGWINCH, SIGUSR1};
    CommandStreams command;
    Guest guest;
    UniqueFd user_output;
    UniqueFd shown;
    std::chrono::milliseconds farewell{default_farewell};
};

TEST_F(RelayTest, ShowsTheOutputAndTakesTheExitCode)
{
    guest.say("hi\n");
    guest.end({{"exit", 7}});
    EXPECT_EQ(run().exit_code, 7);
    EXPECT_EQ(shown_text(), "hi\n");
}

TEST_F(RelayTest, EndsAsTheSignalThatKilledTheCommand)
{
    guest.end({{"signal", SIGKILL}});
    EXPECT_EQ(run().exit_code, 137);
}

TEST_F(RelayTest, TakesTheExitCodeOfACommandThatLeftASignalUnread)
{
    ASSERT_GT(::send(command.control.get(), R"({"signal":15})", 13, 0), 0);
    guest.end({{"exit", 7}});
    guest = {};
    EXPECT_EQ(run().exit_code, 7);
}

TEST_F(RelayTest, WaitsForOutputThatComesAfterTheExitCode)
{
    const auto text = json{{"exit", 0}}.dump();
    ASSERT_GT(::send(guest.control.get(), text.data(), text.size(), 0), 0);
    const auto player = play([this] {
        guest.say("late");
        guest.output.reset();
        guest.error.reset();
    });
    EXPECT_EQ(run().exit_code, 0);
    EXPECT_EQ(shown_text(), "late");
}

TEST_F(RelayTest, ThrowsTheCommandsError)
{
    guest.end({{"error", "dev.banger.Error.CommandNotFound"}, {"message", "no \x1b[2J here"}});
    try {
        run();
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CommandNotFound);
        EXPECT_STREQ(error.what(), "no \\x1b[2J here");
    }
}

TEST_F(RelayTest, ADaemonThatGoesAwayIsUnavailable)
{
    guest = {};
    try {
        run();
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    }
}

TEST_F(RelayTest, GarbageAsTheLastWordIsUnavailable)
{
    guest.output.reset();
    guest.error.reset();
    ASSERT_EQ(::send(guest.control.get(), "{[", 2, 0), 2);
    EXPECT_THROW(run(), Error);
}

TEST_F(RelayTest, PassesStandardInputAndItsEnd)
{
    const UniqueFd file{::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    const std::string text(300'000, 'i');
    ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::lseek(file.get(), 0, SEEK_SET);
    std::string got;
    const auto player = play([&] {
        got = guest.read_input();
        guest.end({{"exit", 0}});
    });
    EXPECT_EQ(run(file.get()).exit_code, 0);
    EXPECT_EQ(got, text);
}

TEST_F(RelayTest, PassesSignalsOn)
{
    json heard;
    const auto player = play([&] {
        heard = guest.hear();
        guest.end({{"exit", 3}});
    });
    ::kill(::getpid(), SIGTERM);
    EXPECT_EQ(run().exit_code, 3);
    EXPECT_EQ(heard, (json{{"signal", SIGTERM}}));
}

TEST_F(RelayTest, WithoutATerminalEachSigtermIsTheCommandsOwn)
{
    const auto player = play([&] {
        for (int count = 0; count < 3; ++count) {
            ::kill(::getpid(), SIGTERM);
            EXPECT_EQ(guest.hear(), (json{{"signal", SIGTERM}}));
        }
        guest.end({{"exit", 3}});
    });
    EXPECT_EQ(run().exit_code, 3);
}

TEST_F(RelayTest, ThreeInterruptsInARowHangUp)
{
    struct sigaction disposition {};
    ::sigaction(SIGINT, nullptr, &disposition);
    if (disposition.sa_handler == SIG_IGN) {
        GTEST_SKIP() << "a shell's background job, which inherits SIGINT ignored; the relay leaves it so";
    }
    const auto player = play([&] {
        for (int count = 0; count < 3; ++count) {
            ::kill(::getpid(), SIGINT);
            EXPECT_EQ(guest.hear(), (json{{"signal", SIGINT}}));
        }
        EXPECT_TRUE(guest.hear().is_null()) << "the command is hung up";
    });
    EXPECT_EQ(run().exit_code, 130);
    command = {};
}

TEST_F(RelayTest, EndsBySigpipeWhenNobodyReadsTheOutput)
{
    shown.reset();
    guest.say("x");
    const auto end = run();
    EXPECT_EQ(end.exit_code, 141);
    EXPECT_EQ(end.killed_by, SIGPIPE);
}

class TerminalTest : public RelayTest {
protected:
    TerminalTest()
    {
        winsize size{40, 100, 0, 0};
        int user = -1;
        int tty = -1;
        EXPECT_EQ(::openpty(&user, &tty, nullptr, nullptr, &size), 0);
        keyboard = UniqueFd{user};
        terminal = UniqueFd{tty};
    }
    tcflag_t echo() const
    {
        termios state{};
        ::tcgetattr(terminal.get(), &state);
        return state.c_lflag & ECHO;
    }

    UniqueFd keyboard;
    UniqueFd terminal;
};

TEST_F(TerminalTest, IsRawWhileTheCommandRunsAndAsBeforeAfterwards)
{
    ASSERT_NE(echo(), 0U);
    tcflag_t during = 1;
    std::string typed(1, '\0');
    const auto player = play([&] {
        while (echo() != 0) {
            std::this_thread::yield();  // a key before that would be the terminal's own
        }
        ASSERT_EQ(::write(keyboard.get(), "\x03", 1), 1);
        EXPECT_EQ(::read(guest.input.get(), typed.data(), 1), 1);
        during = echo();
        guest.end({{"exit", 0}});
    });
    EXPECT_EQ(run(terminal.get(), TerminalMode::Raw).exit_code, 0);
    EXPECT_EQ(during, 0U);
    EXPECT_EQ(typed, "\x03") << "Ctrl-C is a key for the guest";
    EXPECT_NE(echo(), 0U);
    EXPECT_EQ(::fcntl(terminal.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(TerminalTest, ASecondSigtermLeavesAGuestThatHangs)
{
    const auto player = play([&] {
        for (int count = 0; count < 2; ++count) {
            ::kill(::getpid(), SIGTERM);
            EXPECT_EQ(guest.hear(), (json{{"signal", SIGTERM}}));
        }
        EXPECT_TRUE(guest.hear().is_null()) << "the command is hung up";
    });
    EXPECT_EQ(run(terminal.get(), TerminalMode::Raw).exit_code, 143);
    EXPECT_NE(echo(), 0U);
}

TEST_F(TerminalTest, OneSigtermLeavesAGuestThatHangsInTheEnd)
{
    farewell = std::chrono::milliseconds{300};
    const auto player = play([&] {
        ::kill(::getpid(), SIGTERM);
        EXPECT_EQ(guest.hear(), (json{{"signal", SIGTERM}}));
        EXPECT_TRUE(guest.hear().is_null()) << "the command is hung up";
    });
    EXPECT_EQ(run(terminal.get(), TerminalMode::Raw).exit_code, 143);
    EXPECT_NE(echo(), 0U);
}

TEST_F(TerminalTest, IsPutBackAfterAnError)
{
    guest = {};
    EXPECT_THROW(run(terminal.get(), TerminalMode::Raw), Error);
    EXPECT_NE(echo(), 0U);
}

}  // namespace
}  // namespace banger::cli
