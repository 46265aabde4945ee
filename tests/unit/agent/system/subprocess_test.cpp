// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/subprocess.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

Program shell(const std::string& script) { return {.argv = {"/bin/sh", "-c", script}}; }

std::string text_of(const std::filesystem::path& file)
{
    std::ifstream stream{file};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

/// From here on pidfd_open fails, as with no descriptor left.
bool refuse_pidfd_open()
{
    sock_filter program[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                             {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_pidfd_open},
                             {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EMFILE},
                             {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    const sock_fprog filter{.len = std::size(program), .filter = program};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

bool lives(int pid) { return ::kill(pid, 0) == 0; }

TEST(SubprocessTest, StandardOutputMayGoToAFileOfItsOwn)
{
    const test::TemporaryFolder folder;
    auto program = shell("echo out; echo err >&2");
    program.output = folder.path / "out";
    program.log = folder.path / "log";
    EXPECT_EQ(run_program(program).tail, "err\n");
    EXPECT_EQ(text_of(folder.path / "out"), "out\n");
    EXPECT_EQ(text_of(folder.path / "log"), "err\n");
    EXPECT_THROW(run_program(program), Error) << "a file that is there already is somebody's";
}

TEST(SubprocessTest, AProgramMayHaveAUmaskOfItsOwn)
{
    const auto ours = ::umask(0077);
    auto program = shell("umask");
    EXPECT_THAT(run_program(program).tail, HasSubstr("077"));
    program.umask = 0022;
    EXPECT_THAT(run_program(program).tail, HasSubstr("022"));
    EXPECT_EQ(::umask(ours), 0077U);
}

TEST(SubprocessTest, ExitCodesSignalsAndOutputComeBack)
{
    EXPECT_TRUE(run_program(shell("true")).ok());
    const auto failed = run_program(shell("echo out; echo err >&2; exit 7"));
    EXPECT_EQ(failed.exit_code, 7);
    EXPECT_EQ(failed.tail, "out\nerr\n");
    const auto killed = run_program(shell("kill -9 $$"));
    EXPECT_FALSE(killed.exit_code);
    EXPECT_EQ(killed.signal, SIGKILL);
    EXPECT_FALSE(killed.ok());
}

TEST(SubprocessTest, AChildThatCantBeWatchedIsEndedAndToldOf)
{
    const auto child = ::fork();
    if (child == 0) {
        constexpr unsigned limit_s = 10;
        ::alarm(limit_s);
        int code = refuse_pidfd_open() ? 1 : 2;
        try {
            run_program(shell("exec sleep 60"));
        } catch (const Error& error) {
            const bool told = std::string_view{error.what()}.find("can't watch /bin/sh") == 0;
            code = told && ::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD ? 0 : 3;
        }
        ::_exit(code);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "it hung";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(SubprocessTest, WordsStayWordsAndNoShellIsInBetween)
{
    const auto result = run_program({.argv = {"/usr/bin/printf", "[%s]", "a b", "$HOME;`id`", "", "*"}});
    EXPECT_EQ(result.tail, "[a b][$HOME;`id`][][*]");
}

TEST(SubprocessTest, TheEnvironmentIsOursWithTheGivenPartReplaced)
{
    ::setenv("BANGER_TEST_A", "old", 1);
    ::setenv("BANGER_TEST_AB", "kept", 1);
    auto program = shell("echo $BANGER_TEST_A $BANGER_TEST_AB $BANGER_TEST_C");
    program.environment = {"BANGER_TEST_A=new", "BANGER_TEST_C=more"};
    EXPECT_EQ(run_program(program).tail, "new kept more\n");
}

TEST(SubprocessTest, DirectoryInputLogAndLines)
{
    const test::TemporaryFolder folder;
    std::ofstream{folder.path / "in"} << "one\ntwo";
    std::vector<std::string> lines;
    auto program = shell("cat; echo; pwd");
    program.directory = folder.path;
    program.input = folder.path / "in";
    program.log = folder.path / "log";
    program.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    EXPECT_TRUE(run_program(program).ok());
    EXPECT_TRUE(run_program(program).ok());
    EXPECT_THAT(lines, ElementsAre("one", "two", folder.path.string(), "one", "two", folder.path.string()));
    EXPECT_EQ(text_of(folder.path / "log").size(), 2 * ("one\ntwo\n" + folder.path.string() + "\n").size());
}

TEST(SubprocessTest, ALastLineWithoutAnEndIsALine)
{
    std::vector<std::string> lines;
    auto program = shell("echo one; printf two");
    program.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    EXPECT_TRUE(run_program(program).ok());
    EXPECT_THAT(lines, ElementsAre("one", "two"));
}

TEST(SubprocessTest, OnlyTheEndOfMuchOutputIsKeptAndNothingIsLostOfTheLog)
{
    const test::TemporaryFolder folder;
    std::size_t lines = 0;
    auto program = shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    program.log = folder.path / "log";
    program.on_line = [&](std::string_view) { ++lines; };
    const auto result = run_program(program);
    EXPECT_LE(result.tail.size(), 4096U);
    EXPECT_TRUE(result.tail.ends_with("line 19999\n"));
    EXPECT_EQ(lines, 20000U);
    EXPECT_TRUE(text_of(folder.path / "log").ends_with("line 19999\n"));
}

TEST(SubprocessTest, AnEndlessLineIsNotKeptInMemory)
{
    auto program = shell("head -c 5000000 /dev/zero; echo; echo last");
    std::size_t longest = 0;
    std::string last;
    program.on_line = [&](std::string_view line) {
        longest = std::max(longest, line.size());
        last = line;
    };
    EXPECT_TRUE(run_program(program).ok());
    EXPECT_LE(longest, 80'000U);
    EXPECT_EQ(last, "last");
}

TEST(SubprocessTest, AProgramThatIsNotThereNamesItsPackage)
{
    try {
        find_program("mke2fs-no-such");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        EXPECT_THAT(error.what(), HasSubstr("apt install mke2fs-no-such"));
    }
    EXPECT_EQ(package_of("mke2fs"), "e2fsprogs");
    EXPECT_EQ(package_of("qemu-system-x86_64"), "qemu-system-x86");
    try {
        run_program({.argv = {"/no/such/program"}});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
    }
}

TEST(SubprocessTest, FindsWhatIsOnPathAndInSbinAndNothingRelative)
{
    EXPECT_EQ(find_program("sh").filename(), "sh");
    const test::TemporaryFolder folder;
    const std::string before = std::getenv("PATH");
    ::setenv("PATH", "", 1);
    EXPECT_THROW(find_program("sh-that-is-not-there"), Error);
    ::setenv("PATH", ("relative:" + folder.path.string()).c_str(), 1);
    std::ofstream{folder.path / "mine"} << "#!/bin/sh\n";
    EXPECT_THROW(find_program("mine"), Error) << "not executable";
    std::filesystem::permissions(folder.path / "mine", std::filesystem::perms::owner_all);
    EXPECT_EQ(find_program("mine"), folder.path / "mine");
    std::filesystem::create_directories(folder.path / "folder");
    EXPECT_THROW(find_program("folder"), Error);
    EXPECT_NO_THROW(find_program("mke2fs")) << "in /usr/sbin, which an ordinary user has not on PATH";
    ::setenv("PATH", before.c_str(), 1);
}

TEST(SubprocessTest, AStopEndsTheWholeGroup)
{
    const test::TemporaryFolder folder;
    std::stop_source stop;
    auto program = shell("sleep 1000 & echo $! > child; echo $$ > self; wait");
    program.directory = folder.path;
    program.stop = stop.get_token();
    std::jthread canceller{[&] {
        while (!std::filesystem::exists(folder.path / "self") || text_of(folder.path / "self").empty()) {
            std::this_thread::yield();
        }
        stop.request_stop();
    }};
    const auto begin = std::chrono::steady_clock::now();
    try {
        run_program(program);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Cancelled);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "SIGTERM was enough";
    const int child = std::stoi(text_of(folder.path / "child"));
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (lives(child) && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(lives(child));
}

TEST(SubprocessTest, OneThatIgnoresAStopAndTalksOnIsKilled)
{
    std::stop_source stop;
    auto program = shell("trap '' TERM; while :; do echo still here; sleep 0.2; done");
    program.stop = stop.get_token();
    program.on_line = [&stop](std::string_view) { stop.request_stop(); };
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(run_program(program), Error);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s) << "SIGKILL comes 5 s after SIGTERM";
}

TEST(SubprocessTest, AStopThatCameBeforeTheStartEndsItToo)
{
    std::stop_source stop;
    stop.request_stop();
    auto program = shell("sleep 1000");
    program.stop = stop.get_token();
    EXPECT_THROW(run_program(program), Error);
}

TEST(SubprocessTest, AGrandchildThatHoldsThePipeDoesNotHoldUs)
{
    const test::TemporaryFolder folder;
    auto program = shell("setsid sleep 1000 & echo $! > child; echo done");
    program.directory = folder.path;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(run_program(program).tail, "done\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
    ::kill(std::stoi(text_of(folder.path / "child")), SIGKILL);
}

TEST(SubprocessTest, AGrandchildThatWritesOnDoesNotHoldUs)
{
    const test::TemporaryFolder folder;
    auto program = shell("yes & echo $! > child; exit 3");
    program.directory = folder.path;
    EXPECT_EQ(run_program(program).exit_code, 3);
    ::kill(std::stoi(text_of(folder.path / "child")), SIGKILL);
}

TEST(SubprocessTest, SignalsBlockedHereAreNotBlockedThere)
{
    sigset_t term;
    sigset_t before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &term, &before);
    const auto result = run_program(shell("kill -TERM $$; exit 0"));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(result.signal, SIGTERM);
}

TEST(SubprocessTest, NoDescriptorOfOursIsInherited)
{
    const int leak = ::dup(STDOUT_FILENO);  // without close-on-exec
    const auto result = run_program(shell("ls /proc/self/fd | wc -l"));
    ::close(leak);
    EXPECT_EQ(std::stoi(result.tail), 4) << "0, 1, 2, and the folder that ls reads";
}

}  // namespace
}  // namespace banger::agent
