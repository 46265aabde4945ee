// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/fork_process_host.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using Readiness = ProcessSpec::Readiness;

const auto test_vm = VmId::parse("abcdefghijkl");

struct Pipe {
    Pipe()
    {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) == 0) {
            read = UniqueFd{ends[0]};
            write = UniqueFd{ends[1]};
        }
    }
    UniqueFd read;
    UniqueFd write;
};

/// Blocks a signal before the lane's thread begins, as bangerd does with those that its loop takes.
struct BlockedSignal {
    BlockedSignal()
    {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &set, &before);
        handler = ::signal(SIGPIPE, SIG_IGN);
    }
    BlockedSignal(const BlockedSignal&) = delete;
    BlockedSignal& operator=(const BlockedSignal&) = delete;
    ~BlockedSignal()
    {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        ::signal(SIGPIPE, handler);
    }
    sigset_t before{};
    void (*handler)(int){};
};

class ForkProcessHostTest : public test::LoopTest {
protected:
    ProcessSpec spec(std::vector<std::string> argv)
    {
        return {.vm = test_vm,
                .role = "vmm",
                .argv = std::move(argv),
                .directory = folder.path,
                .log = folder.path / "vmm.log"};
    }
    std::string log() const
    {
        std::ifstream file{folder.path / "vmm.log"};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    ProcessId start(ProcessSpec what)
    {
        const auto answer = run(ForkProcessHost{loop, lane}.start(std::move(what)));
        EXPECT_TRUE(answer->value) << answer->error->what();
        return answer->value.value_or(ProcessId{});
    }
    Error failure(ProcessSpec what)
    {
        const auto answer = run(ForkProcessHost{loop, lane}.start(std::move(what)));
        EXPECT_TRUE(answer->error) << "it was started";
        return answer->error.value_or(Error{ErrorCode::Internal, ""});
    }
    /// What the program writes on its standard output until it ends.
    std::string output_of(std::vector<std::string> argv)
    {
        auto what = spec(std::move(argv));
        Pipe out;
        what.standard_output = std::move(out.write);
        start(std::move(what));
        std::string text;
        std::array<char, 4096> buffer{};
        for (auto got = ::read(out.read.get(), buffer.data(), buffer.size()); got > 0;
             got = ::read(out.read.get(), buffer.data(), buffer.size())) {
            text.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return text;
    }
    ProcessId find(const std::string& role = "vmm", const ProcessId& noted = {})
    {
        return run(ForkProcessHost{loop, lane}.find(test_vm, role, folder.path, noted))->value.value_or(ProcessId{});
    }
    void note(const std::string& text) const { std::ofstream{folder.path / "vmm.pid"} << text; }
    static bool has_ended(const UniqueFd& process)
    {
        pollfd watch{process.get(), POLLIN, 0};
        constexpr int limit_ms = 10'000;
        return ::poll(&watch, 1, limit_ms) == 1;
    }

    test::TemporaryFolder folder;
    BlockedSignal blocked;
    Lane lane{8};
};

TEST_F(ForkProcessHostTest, AProcessOutlivesItsHostAndIsFoundAgainUntilItEnds)
{
    auto what = spec({"/bin/cat"});
    Pipe in;
    what.standard_input = std::move(in.read);
    const auto started = start(std::move(what));
    ASSERT_TRUE(started);
    EXPECT_EQ(process_start_time(started.pid), started.start_time);
    EXPECT_GT(started.start_time, 0U);
    const auto found = find();
    EXPECT_EQ(found.pid, started.pid);
    EXPECT_EQ(found.start_time, started.start_time);
    EXPECT_FALSE(find("net"));
    const auto process = open_process(found);
    ASSERT_TRUE(process);
    in.write.reset();  // cat reads its end
    EXPECT_TRUE(has_ended(process));
    EXPECT_FALSE(find());
    EXPECT_FALSE(open_process(started));
}

TEST_F(ForkProcessHostTest, ASignalReachesTheProcessAndNoneThatHasEnded)
{
    auto what = spec({"/bin/cat"});
    Pipe in;
    what.standard_input = std::move(in.read);
    const auto process = open_process(start(std::move(what)));
    ASSERT_TRUE(process);
    send_signal(process, SIGTERM);
    EXPECT_TRUE(has_ended(process));
    send_signal(process, SIGTERM);
}

TEST_F(ForkProcessHostTest, APidThatAnotherProcessHasNowIsNotMistaken)
{
    const auto own = process_start_time(::getpid());
    ASSERT_TRUE(own);
    EXPECT_FALSE(open_process({::getpid(), *own + 1, {}}));
    EXPECT_TRUE(open_process({::getpid(), *own, {}}));
    EXPECT_FALSE(open_process({}));
    note(std::to_string(::getpid()) + " " + std::to_string(*own + 1) + "\n");
    EXPECT_FALSE(find());
    note(std::to_string(::getpid()) + " " + std::to_string(*own) + "\n");
    EXPECT_FALSE(find()) << "it works in another folder";
    for (const auto* text : {"", "x", "-1 5", "1 0", "0 0", "4711", "99999999999999 1", "2147483647 1"}) {
        note(text);
        EXPECT_FALSE(find()) << text;
    }
}

TEST_F(ForkProcessHostTest, APidInTheSameFolderThatBeganAtAnotherTimeIsNotMistaken)
{
    auto what = spec({"/bin/cat"});
    Pipe in;
    what.standard_input = std::move(in.read);
    const auto started = start(std::move(what));
    note(std::to_string(started.pid) + " " + std::to_string(started.start_time + 1));
    EXPECT_FALSE(find());
    note(std::to_string(started.pid) + " " + std::to_string(started.start_time));
    EXPECT_EQ(find().pid, started.pid);
}

TEST_F(ForkProcessHostTest, AProcessWithoutAPidFileIsFoundAsItWasNoted)
{
    auto what = spec({"/bin/cat"});
    Pipe in;
    what.standard_input = std::move(in.read);
    auto noted = start(std::move(what));
    noted.unit = "banger-abcdefghijkl-vmm.service";
    for (const auto* text : {"", "x", "2147483647 1"}) {
        note(text);
        EXPECT_EQ(find("vmm", noted).pid, noted.pid) << text;
    }
    std::filesystem::remove(folder.path / "vmm.pid");
    EXPECT_FALSE(find());
    EXPECT_EQ(find("vmm", noted).unit, noted.unit);
    EXPECT_FALSE(find("vmm", {noted.pid, noted.start_time + 1, {}})) << "its pid was used again";
    EXPECT_FALSE(find("vmm", {::getpid(), process_start_time(::getpid()).value_or(0), {}})) << "in another folder";
}

TEST_F(ForkProcessHostTest, AProgramThatIsNotThereIsAnErrorThatNamesIt)
{
    for (const auto readiness : {Readiness::Exec, Readiness::Fork}) {
        auto what = spec({(folder.path / "no-such-program").string()});
        what.readiness = readiness;
        const auto error = failure(std::move(what));
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        EXPECT_THAT(error.what(), HasSubstr("no-such-program"));
    }
}

TEST_F(ForkProcessHostTest, AFileThatIsNoProgramIsAnErrorThatNamesIt)
{
    std::ofstream{folder.path / "text"} << "text";
    for (const auto readiness : {Readiness::Exec, Readiness::Fork}) {
        auto what = spec({(folder.path / "text").string()});
        what.readiness = readiness;
        const auto error = failure(std::move(what));
        EXPECT_EQ(error.code(), ErrorCode::Failed);
        EXPECT_THAT(error.what(), HasSubstr((folder.path / "text").string()));
    }
}

TEST_F(ForkProcessHostTest, AFolderThatIsNotThereIsAnError)
{
    auto what = spec({"/bin/true"});
    what.directory = folder.path / "gone";
    EXPECT_THAT(failure(std::move(what)).what(), HasSubstr("gone"));
}

TEST_F(ForkProcessHostTest, AProgramThatDaemonizesIsReadyWhenItsFirstProcessHasLeft)
{
    auto what = spec({"/bin/sh", "-c", "exec 3<&0; echo ready > mark; (read line <&3; echo $line > last) & exit 0"});
    what.readiness = Readiness::Fork;
    Pipe in;
    what.standard_input = std::move(in.read);
    Pipe out;  // its last holder is the process that stays
    what.standard_output = std::move(out.write);
    EXPECT_FALSE(start(std::move(what)));
    EXPECT_TRUE(std::filesystem::exists(folder.path / "mark"));
    EXPECT_FALSE(std::filesystem::exists(folder.path / "last"));
    EXPECT_FALSE(std::filesystem::exists(folder.path / "vmm.pid"));
    EXPECT_EQ(::write(in.write.get(), "x\n", 2), 2);
    char none = 0;
    EXPECT_EQ(::read(out.read.get(), &none, 1), 0);
    EXPECT_TRUE(std::filesystem::exists(folder.path / "last"));
}

TEST_F(ForkProcessHostTest, AProgramThatDoesNotGetReadyIsAnErrorWithWhatItSaid)
{
    for (const auto* script : {"echo no network here >&2; exit 3", "echo no network here; kill -9 $$"}) {
        auto what = spec({"/bin/sh", "-c", script});
        what.readiness = Readiness::Fork;
        const auto error = failure(std::move(what));
        EXPECT_EQ(error.code(), ErrorCode::Failed);
        EXPECT_THAT(error.what(), HasSubstr("/bin/sh"));
        EXPECT_THAT(error.what(), HasSubstr("no network here"));
    }
}

TEST_F(ForkProcessHostTest, TheLogIsAppendedTo)
{
    std::ofstream{folder.path / "vmm.log"} << "older\n";
    auto what = spec({"/bin/sh", "-c", "echo out; echo error >&2"});
    what.readiness = Readiness::Fork;
    start(std::move(what));
    EXPECT_EQ(log(), "older\nout\nerror\n");
}

TEST_F(ForkProcessHostTest, StandardInputIsEmptyUnlessItIsGiven)
{
    auto what = spec({"/bin/cat"});
    what.readiness = Readiness::Fork;
    start(std::move(what));
    EXPECT_EQ(log(), "");
}

TEST_F(ForkProcessHostTest, NoDescriptorButTheThreeIsPassedOn)
{
    const UniqueFd leaky{::open("/dev/null", O_RDONLY)};  // NOLINT: without close-on-exec, on purpose
    ASSERT_TRUE(leaky);
    EXPECT_EQ(output_of({"/bin/ls", "/proc/self/fd"}), "0\n1\n2\n3\n");  // 3: the folder that ls reads
}

TEST_F(ForkProcessHostTest, TheProgramWorksInItsFolderInASessionOfItsOwnWithItsSignalsAsTheyWere)
{
    EXPECT_EQ(output_of({"/bin/pwd", "-P"}), std::filesystem::canonical(folder.path).string() + "\n");
    const auto status = output_of({"/bin/cat", "/proc/self/status"});
    EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000\n"));
    const auto ignored = std::stoull(status.substr(status.find("SigIgn:") + 8), nullptr, 16);
    EXPECT_EQ(ignored & (1ULL << (SIGPIPE - 1U)), 0U);
    const auto stat = output_of({"/bin/cat", "/proc/self/stat"});
    // proc(5): "pid (comm) state ppid pgrp session ..."; a session outside the PID namespace reads as 0, ours included.
    std::istringstream fields{stat.substr(stat.rfind(')') + 1)};
    char state = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    ASSERT_TRUE(fields >> state >> parent >> group >> session) << stat;
    EXPECT_NE(session, ::getsid(0)) << stat;
}

TEST_F(ForkProcessHostTest, ThePidFileIsForUsAloneAndReplacesNoLink)
{
    std::ofstream{folder.path / "victim"} << "untouched";
    std::filesystem::create_symlink("victim", folder.path / "vmm.pid");
    auto what = spec({"/bin/true"});
    Pipe out;
    what.standard_output = std::move(out.write);
    start(std::move(what));
    char none = 0;
    EXPECT_EQ(::read(out.read.get(), &none, 1), 0);
    std::string content;
    std::ifstream{folder.path / "victim"} >> content;
    EXPECT_EQ(content, "untouched");
}

TEST(ProcessStartTimeTest, AProcessThatIsNotThereHasNone)
{
    EXPECT_FALSE(process_start_time(0x7ffffffe));
    EXPECT_FALSE(process_start_time(-1));
    EXPECT_TRUE(process_start_time(::getpid()));
}

}  // namespace
}  // namespace banger::agent
