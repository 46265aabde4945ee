// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/signals.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "common/error.hpp"

namespace banger::cli {
namespace {

TEST(ParseSignal, TakesNamesWithAndWithoutTheirPrefixInAnyCase)
{
    for (const auto* text : {"KILL", "SIGKILL", "kill", "sigkill", "9"}) {
        EXPECT_EQ(parse_signal(text), SIGKILL) << text;
    }
    EXPECT_EQ(parse_signal("USR1"), SIGUSR1);
    EXPECT_EQ(parse_signal("RTMIN"), SIGRTMIN);
    EXPECT_EQ(parse_signal("RTMIN+3"), SIGRTMIN + 3);
    EXPECT_EQ(parse_signal("SIGRTMAX-1"), SIGRTMAX - 1);
}

TEST(ParseSignal, RefusesWhatIsNoSignal)
{
    for (const auto* text : {"", "0", "-9", "65", "99", "FROB", "SIG", "9x", "RTMIN+", "RTMIN+40", "RTMIN-1", " 9"}) {
        EXPECT_THROW(parse_signal(text), Error) << text;
    }
}

TEST(SignalInbox, GivesWhatArrivedInsteadOfEndingTheProgram)
{
    SignalInbox inbox{SIGTERM, SIGUSR1};
    EXPECT_EQ(inbox.take(), std::nullopt);
    ::raise(SIGTERM);
    EXPECT_EQ(inbox.take(), SIGTERM);
    EXPECT_EQ(inbox.take(), std::nullopt);
}

TEST(SignalInbox, LeavesIgnoredSignalsIgnored)
{
    const auto before = std::signal(SIGUSR2, SIG_IGN);
    {
        SignalInbox inbox{SIGUSR2};
        ::raise(SIGUSR2);
        EXPECT_EQ(inbox.take(), std::nullopt);
    }
    std::signal(SIGUSR2, before);
}

TEST(SignalInbox, RestoresTheMask)
{
    {
        const SignalInbox inbox{SIGUSR1};
    }
    sigset_t mask;
    ::sigprocmask(SIG_BLOCK, nullptr, &mask);
    EXPECT_EQ(sigismember(&mask, SIGUSR1), 0);
}

enum class Place { InAShellsJob, InAWindowOfItsOwn };

/// What becomes of a program there that stops as a job: its status, as waitpid(2) tells it. It is let go on, and ended.
int status_of_a_stop(Place place)
{
    const auto child = ::fork();
    if (child == 0) {
        const int moved = place == Place::InAShellsJob ? ::setpgid(0, 0) : static_cast<int>(::setsid() < 0);
        const SignalInbox inbox{SIGTSTP};
        stop_as_a_job();
        sigset_t mask;
        ::sigprocmask(SIG_BLOCK, nullptr, &mask);
        ::_exit(moved == 0 && sigismember(&mask, SIGTSTP) == 1 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, WUNTRACED);
    const int seen = status;
    if (WIFSTOPPED(status)) {
        ::kill(child, SIGCONT);
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0) << "it goes on where it was";
    }
    return seen;
}

TEST(StopAsAJob, StopsUntilAShellLetsItGoOn) { EXPECT_TRUE(WIFSTOPPED(status_of_a_stop(Place::InAShellsJob))); }

TEST(StopAsAJob, DoesNothingWhereNobodyCouldLetItGoOn) { EXPECT_EQ(status_of_a_stop(Place::InAWindowOfItsOwn), 0); }

}  // namespace
}  // namespace banger::cli
