// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/spawn.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/unique_fd.hpp"
#include "guest/core/run_program.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/held_file.hpp"

namespace banger::guest {
namespace {

namespace fs = std::filesystem;
using Step = SpawnResult::Step;

class SpawnTest : public testing::Test {
protected:
    SpawnTest()
    {
        int fds[2];
        EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
        output.reset(fds[0]);
        child_end.reset(fds[1]);
        plan.environment = {"PATH=" + bin("a") + ":" + bin("b") + ":/usr/bin:/bin"};
        plan.directory = "/";
        plan.directory_asked = true;
        plan.account.uid = ::getuid();
        plan.account.gid = ::getgid();
        plan.fds = {child_end.get(), child_end.get(), child_end.get()};
    }
    std::string bin(const std::string& name) const
    {
        fs::create_directories(folder.path / name);
        return (folder.path / name).string();
    }
    void program(const std::string& path, const std::string& text, mode_t mode = 0755) const
    {
        std::ofstream{folder.path / path} << text;
        ::chmod((folder.path / path).c_str(), mode);
    }
    /// What it wrote; its status is in `status`.
    std::string run(std::vector<std::string> argv)
    {
        plan.argv = std::move(argv);
        result = finish_spawn(begin_spawn(plan));
        child_end.reset();
        std::string text;
        std::array<char, 4096> buffer{};
        for (ssize_t count = 0; (count = ::read(output.get(), buffer.data(), buffer.size())) > 0;) {
            text.append(buffer.data(), static_cast<std::size_t>(count));
        }
        if (result.pid > 0) {
            EXPECT_EQ(::waitpid(result.pid, &status, 0), result.pid);
        }
        return text;
    }
    std::string shell(const std::string& script) { return run({"/bin/sh", "-c", script}); }

    agent::test::TemporaryFolder folder;
    UniqueFd output;
    UniqueFd child_end;
    SpawnPlan plan;
    SpawnResult result;
    int status{-1};
};

TEST_F(SpawnTest, AProgramRunsWithItsArguments)
{
    EXPECT_EQ(shell("echo $0 $#; exit 3"), "/bin/sh 0\n");
    EXPECT_EQ(WEXITSTATUS(status), 3);
}

TEST_F(SpawnTest, ItIsLookedForInItsOwnPath)
{
    program("b/tool", "#!/bin/sh\necho found\n");
    EXPECT_EQ(run({"tool"}), "found\n");
}

TEST_F(SpawnTest, WhatMayNotBeRunIsPassedOverForALaterOne)
{
    program("a/tool", "#!/bin/sh\necho wrong\n", 0644);
    program("b/tool", "#!/bin/sh\necho found\n");
    EXPECT_EQ(run({"tool"}), "found\n");
}

TEST_F(SpawnTest, WhatMayNotBeRunAnywhereSaysSo)
{
    program("a/tool", "#!/bin/sh\n", 0644);
    run({"tool"});
    EXPECT_EQ(result.pid, -1);
    EXPECT_EQ(result.step, Step::Exec);
    EXPECT_EQ(result.error, EACCES);
}

TEST_F(SpawnTest, AProgramThatIsMissingSaysSo)
{
    run({"no-such-tool"});
    EXPECT_EQ(result.pid, -1);
    EXPECT_EQ(result.step, Step::Exec);
    EXPECT_EQ(result.error, ENOENT);
}

TEST_F(SpawnTest, AnInterpreterThatIsMissingIsToldApart)
{
    program("a/tool", "#!/no/such/interpreter\n");
    run({"tool"});
    EXPECT_EQ(result.pid, -1);
    EXPECT_EQ(result.step, Step::Interpreter);
}

TEST_F(SpawnTest, AScriptWithoutAFirstLineIsTheShells)
{
    program("a/tool", "echo \"$0 $1\"\n");
    EXPECT_EQ(run({"tool", "one"}), bin("a") + "/tool one\n");
}

TEST_F(SpawnTest, AFolderThatWasAskedForMustBeThere)
{
    plan.directory = (folder.path / "none").string();
    run({"true"});
    EXPECT_EQ(result.step, Step::Directory);
    EXPECT_EQ(result.error, ENOENT);
}

TEST_F(SpawnTest, AHomeThatIsMissingIsTheRootFolder)
{
    plan.directory = (folder.path / "none").string();
    plan.directory_asked = false;
    EXPECT_EQ(shell("pwd"), "/\n");
}

TEST_F(SpawnTest, ItLeadsASessionOfItsOwn)
{
    std::istringstream fields{shell("cut -d' ' -f1,5,6 /proc/$$/stat")};
    pid_t pid = 0;
    pid_t group = 0;
    pid_t session = 0;
    fields >> pid >> group >> session;
    EXPECT_EQ(pid, result.pid);
    EXPECT_EQ(group, pid);
    EXPECT_EQ(session, pid);
}

TEST_F(SpawnTest, SignalsAndUmaskAreAsUsual)
{
    const auto pipe = ::signal(SIGPIPE, SIG_IGN);  // as main() does
    const auto mask = ::umask(0);
    sigset_t blocked;
    sigset_t before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGCHLD);  // as the loop does
    ::sigprocmask(SIG_BLOCK, &blocked, &before);
    const auto text = shell("umask; grep -E '^Sig(Blk|Ign)' /proc/self/status");
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::umask(mask);
    ::signal(SIGPIPE, pipe);
    EXPECT_EQ(text, "0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(SpawnTest, ItsInputAndOutputsAreAllItHas)
{
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);               // what this test was started with
    EXPECT_EQ(run({"ls", "/proc/self/fd"}), "0\n1\n2\n3\n");  // 3 is its own, of that folder
}

TEST_F(SpawnTest, AProgramThatHangsBeforeItRunsHoldsNeitherUsNorWhatWeHaveOpen)
{
    program("a/tool", "#!/bin/sh\n");
    test::HeldFile tool{bin("a") + "/tool"};
    if (!tool.holds()) {
        GTEST_SKIP() << "no leases on the file system of " << folder.path;
    }
    plan.argv = {"tool"};
    const auto spawning = begin_spawn(plan);
    pollfd outcome{spawning.outcome.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&outcome, 1, 300), 0);
    // Its three, and the one that tells the outcome.
    EXPECT_EQ(std::distance(fs::directory_iterator{"/proc/" + std::to_string(spawning.pid) + "/fd"}, {}), 4);
    tool.release();
    result = finish_spawn(spawning);
    EXPECT_EQ(result.pid, spawning.pid);
    EXPECT_EQ(::waitpid(spawning.pid, &status, 0), spawning.pid);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SpawnTest, AnAccountThatCannotBeEnteredSaysSo)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root changes accounts";
    }
    plan.account.uid = static_cast<uid_t>(-1);
    run({"true"});
    EXPECT_EQ(result.pid, -1);
    EXPECT_EQ(result.step, Step::Account);
}

TEST_F(SpawnTest, RootRunsItAsTheAccountWithItsGroupsAlone)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root changes accounts";
    }
    plan.account.uid = 4321;
    plan.account.gid = 5432;
    plan.account.groups = {5432, 77};
    EXPECT_EQ(shell("id -u; id -g; id -G"), "4321\n5432\n5432 77\n");
}

TEST_F(SpawnTest, ManyOpenFilesAreOursAlone)
{
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    use_many_files();
    rlimit own{};
    ::getrlimit(RLIMIT_NOFILE, &own);
    EXPECT_GE(own.rlim_cur, before.rlim_cur);
    EXPECT_EQ(shell("ulimit -n"), std::to_string(before.rlim_cur) + "\n");
    ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(MergeEnvironmentTest, TheLaterOneCountsAndTheOthersStay)
{
    const std::vector<std::string> base{"PATH=/bin", "HOME=/", "HOMER=x"};
    EXPECT_EQ(merge_environment(base, {"HOME=/root", "A=", "HOME=/last"}),
              (std::vector<std::string>{"PATH=/bin", "HOMER=x", "A=", "HOME=/last"}));
    EXPECT_EQ(merge_environment(base, {}), base);
}

TEST(RunProgramTest, ItsCodeComesBack)
{
    EXPECT_EQ(run_program({"true"}), 0);
    EXPECT_EQ(run_program({"sh", "-c", "exit 7"}), 7);
    EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"}), -1);
    EXPECT_EQ(run_program({"no-such-program"}), -1);
    EXPECT_EQ(run_program({"sh", "-c", "test \"$(cat)\" = '' && test $(pwd) = /"}), 0);
}

}  // namespace
}  // namespace banger::guest
