// SPDX-License-Identifier: GPL-2.0-or-later
// Each test is a program in a VMM's place: first it does what it may do as its user, and then, confined, tries it again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <fstream>

#include "agent/confine/grants.hpp"
#include "agent/confine/landlock.hpp"
#include "agent/confine/own_root.hpp"
#include "agent/confine/system_calls.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::confine {
namespace {

using agent::test::TemporaryFolder;
using ::testing::HasSubstr;

/// errno of an attempt; 0: it worked.
int opens(const std::filesystem::path& path, int flags)
{
    const UniqueFd file{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
    return file ? 0 : errno;
}

int result_of(int result) { return result == 0 ? 0 : errno; }

int calls(const std::filesystem::path& socket)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) {
        return errno;
    }
    return result_of(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

UniqueFd listen_at(const std::filesystem::path& socket)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd.get(), 8), 0);
    return fd;
}

/// Runs in a child: no test process is confined. Each line that `work` gives is something that went wrong.
std::string in_child(const std::function<std::string()>& work)
{
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        std::string said;
        try {
            said = work();
        } catch (const std::exception& failure) {
            said = failure.what();
        }
        said += "|";
        ::_exit(::write(ends[1], said.data(), said.size()) < 0 ? 1 : 0);
    }
    ::close(ends[1]);
    const UniqueFd hears{ends[0]};
    std::string said;
    char letter = 0;
    while (::read(hears.get(), &letter, 1) == 1) {
        said += letter;
    }
    ::waitpid(child, nullptr, 0);
    return said;
}

constexpr auto all_is_well = "|";

class ConfinementTest : public ::testing::Test {
protected:
    ConfinementTest()
    {
        for (const auto& each : {vm(), home.path / ".ssh", home.path / "cache", home.path / "other"}) {
            std::filesystem::create_directories(each);
        }
        for (const auto& file :
             {key(), vm() / "root.img", vm() / "vm.json", home.path / "cache/kernel", other_disk()}) {
            std::ofstream{file} << "something";
        }
        std::filesystem::create_symlink(home.path / "cache/kernel", vm() / "kernel");
        arguments.folder = vm();
        arguments.read = {"kernel"};
        arguments.write = {"root.img"};
        arguments.append = {"console.log"};
        arguments.program = {nullptr};
    }
    std::filesystem::path vm() const { return home.path / "vm"; }
    std::filesystem::path key() const { return home.path / ".ssh/id_ed25519"; }
    std::filesystem::path other_disk() const { return home.path / "other/root.img"; }

    void enter_own_root() const
    {
        const OwnRoot root{arguments};
        if (!root.problem().empty() || !root.enter()) {
            throw Error{ErrorCode::HostLacks, "no root: " + root.problem()};
        }
    }
    /// Everything that banger-confine does but the exec.
    void confine(bool with_root, int landlock = landlock_version()) const
    {
        if (::chdir(vm().c_str()) < 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
            throw errno_error("test", errno);
        }
        const auto grants = open_grants(arguments);
        if (with_root) {
            enter_own_root();
        }
        restrict_files(grants);
        if (with_root) {
            drop_capabilities();
        }
        restrict_system_calls(sockets_in_reach(arguments, with_root, landlock));
    }
    /// What a confined one may and may not do with files; what is wrong of it.
    /// `secret`: what opening others' files gives; `read_only`: what writing gives where it may read.
    std::string wrong_with_files(int secret, int read_only) const
    {
        std::string wrong;
        const auto expect = [&wrong](const char* what, int got, int wanted) {
            if (got != wanted) {
                wrong += std::string{what} + ": " + std::to_string(got) + " and not " + std::to_string(wanted) + "\n";
            }
        };
        expect("its disk", opens("root.img", O_RDWR), 0);
        expect("its kernel", opens("kernel", O_RDONLY), 0);
        expect("its kernel, to write", opens("kernel", O_RDWR), read_only);
        expect("its log", opens("console.log", O_WRONLY | O_APPEND), 0);
        expect("what programs need", opens("/etc/ld.so.cache", O_RDONLY), 0);
        expect("the key", opens(key(), O_RDONLY), secret);
        expect("the key, emptied", opens(key(), O_WRONLY | O_TRUNC), secret);
        expect("its names", opens(key().parent_path(), O_RDONLY | O_DIRECTORY), secret);
        expect("another VM's disk", opens(other_disk(), O_RDONLY), secret);
        expect("its own description", opens("vm.json", O_RDWR), EACCES);
        expect("a new file", opens("new", O_WRONLY | O_CREAT), EACCES);
        expect("a link in its disk's place", result_of(::symlink(key().c_str(), "link")), EACCES);
        expect("a rename", result_of(::rename("root.img", "moved")), EACCES);
        expect("a removal", result_of(::unlink("root.img")), EACCES);
        expect("a mode", result_of(::chmod("root.img", 0666)), EPERM);
        return wrong;
    }

    TemporaryFolder home;
    Arguments arguments;
};

TEST_F(ConfinementTest, AProgramInAVmmsPlaceSeesItsOwnVmsFilesAlone)
{
    if (landlock_version() == 0) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    EXPECT_EQ(opens(key(), O_RDONLY), 0) << "its user may";
    EXPECT_EQ(opens(other_disk(), O_RDWR), 0);
    EXPECT_EQ(in_child([this] {
                  confine(false);
                  return wrong_with_files(EACCES, EACCES);
              }),
              all_is_well);
}

TEST_F(ConfinementTest, WithARootOfItsOwnTheOthersAreNotThere)
{
    if (landlock_version() == 0) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    if (const auto problem = OwnRoot{arguments}.problem(); !problem.empty()) {
        GTEST_SKIP() << problem;
    }
    EXPECT_EQ(in_child([this] {
                  confine(true);
                  return wrong_with_files(ENOENT, EROFS);
              }),
              all_is_well);
}

TEST_F(ConfinementTest, WhoMadeItsRootIsGoneBeforeAVmmCouldMeetIt)
{
    if (const auto problem = OwnRoot{arguments}.problem(); !problem.empty()) {
        GTEST_SKIP() << problem;
    }
    EXPECT_EQ(in_child([this] {
                  enter_own_root();
                  const bool is_alone = ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
                  const bool is_at_home = std::filesystem::current_path() == vm();
                  return std::string{is_alone ? "" : "a child is left\n"} + (is_at_home ? "" : "it is elsewhere\n");
              }),
              all_is_well);
}

TEST_F(ConfinementTest, ARootThatNobodyEntersChangesNothing)
{
    const auto before = std::filesystem::current_path();
    {
        const OwnRoot root{arguments};
    }
    EXPECT_EQ(opens(key(), O_RDONLY), 0);
    EXPECT_EQ(std::filesystem::current_path(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "its maker is gone";
}

TEST_F(ConfinementTest, NothingIsMadeOnTheHost)
{
    if (!OwnRoot{arguments}.problem().empty()) {
        GTEST_SKIP() << "no namespaces here";
    }
    std::vector<std::string> there;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{home.path}) {
        there.push_back(entry.path().string());
    }
    EXPECT_THAT(there, ::testing::SizeIs(11)) << "the trial made its log, and nothing else";
    EXPECT_FALSE(std::filesystem::exists("/usr/.old"));
}

TEST_F(ConfinementTest, OtherProgramsSocketsAreOutOfReachWithARootOfItsOwn)
{
    arguments.sockets = Sockets::Unix;
    if (!OwnRoot{arguments}.problem().empty()) {
        GTEST_SKIP() << "no namespaces here";
    }
    const auto bus = home.path / "bus";
    const auto own = vm() / "guest.sock_1024";
    const auto listener = listen_at(bus);
    const auto own_listener = listen_at(own);
    EXPECT_EQ(calls(bus), 0);
    EXPECT_EQ(in_child([&] {
                  confine(true);
                  return (calls(bus) == ENOENT ? "" : "the bus was called\n") +
                         std::string{calls(own) == 0 ? "" : "its own socket was not\n"};
              }),
              all_is_well);
}

std::string call_abstract(const std::string& name)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    const UniqueFd stream{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const UniqueFd datagrams{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return std::string{::connect(stream.get(), where, size) == 0 ? "called\n" : ""} +
           (::sendto(datagrams.get(), "x", 1, 0, where, size) == 1 ? "sent\n" : "");
}

UniqueFd listen_at_abstract(const std::string& name, int kind)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    UniqueFd fd{::socket(AF_UNIX, kind | SOCK_CLOEXEC, 0)};
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    if (kind == SOCK_STREAM) {
        EXPECT_EQ(::listen(fd.get(), 8), 0);
    }
    return fd;
}

TEST_F(ConfinementTest, AbstractSocketsOfTheHostAreOutOfReach)
{
    arguments.sockets = Sockets::Unix;
    arguments.network = Network::Host;
    const auto name = "banger-test-" + std::to_string(::getpid());
    const auto stream = listen_at_abstract(name, SOCK_STREAM);
    EXPECT_EQ(call_abstract(name), "called\n") << "it can be called";
    const bool has_roots = OwnRoot{arguments}.problem().empty();
    EXPECT_EQ(in_child([&] {
                  confine(has_roots, 5);
                  return call_abstract(name);
              }),
              all_is_well);
    arguments.network = Network::None;
    if (!has_roots || !OwnRoot{arguments}.problem().empty()) {
        GTEST_SKIP() << "no namespaces here";
    }
    EXPECT_EQ(in_child([&] {
                  confine(true, 5);
                  return call_abstract(name);
              }),
              all_is_well);
}

TEST_F(ConfinementTest, DatagramsOfOnesOwnAreNone)
{
    arguments.sockets = Sockets::Unix;
    const auto name = "banger-test-datagrams-" + std::to_string(::getpid());
    const auto receiver = listen_at_abstract(name, SOCK_DGRAM);
    EXPECT_EQ(call_abstract(name), "sent\n") << "it can be sent to";
    EXPECT_EQ(in_child([&] {
                  confine(false);
                  return call_abstract(name);
              }),
              all_is_well);
}

TEST(SocketsInReach, AreCalledWhereNobodyElsesAre)
{
    Arguments arguments;
    EXPECT_EQ(sockets_in_reach(arguments, false, 0), Sockets::None);
    arguments.sockets = Sockets::Unix;
    EXPECT_EQ(sockets_in_reach(arguments, true, 0), Sockets::Unix);
    EXPECT_EQ(sockets_in_reach(arguments, false, 6), Sockets::Listening) << "those of any folder";
    arguments.network = Network::None;
    EXPECT_EQ(sockets_in_reach(arguments, true, 0), Sockets::Unix);
    arguments.network = Network::Host;
    EXPECT_EQ(sockets_in_reach(arguments, true, 5), Sockets::Listening);
    EXPECT_EQ(sockets_in_reach(arguments, true, 6), Sockets::Unix);
}

TEST_F(ConfinementTest, WhoMayMakeSocketsMakesNothingElse)
{
    if (landlock_version() == 0) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    arguments.sockets = Sockets::Unix;
    EXPECT_EQ(in_child([this] {
                  confine(false);
                  sockaddr_un address{AF_UNIX, "made.sock"};
                  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
                  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
                  const UniqueFd inet{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
                  return (bound == 0 ? "" : "no socket\n") + std::string{inet ? "a network\n" : ""} +
                         wrong_with_files(EACCES, EACCES);
              }),
              all_is_well);
}

TEST_F(ConfinementTest, WithoutSocketsThereIsNone)
{
    EXPECT_EQ(in_child([this] {
                  confine(false);
                  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
                  return std::string{fd ? "a socket\n" : ""};
              }),
              all_is_well);
}

TEST_F(ConfinementTest, OtherProcessesOfItsUserAreLeftAlone)
{
    const pid_t other = ::fork();
    if (other == 0) {
        ::pause();
        ::_exit(0);
    }
    EXPECT_EQ(::kill(other, 0), 0);
    EXPECT_EQ(in_child([this, other] {
                  confine(false);
                  const int killed = result_of(::kill(other, SIGKILL));
                  const int itself = ::raise(SIGWINCH);
                  return (killed == EPERM ? "" : "it was killed\n") +
                         std::string{itself == 0 ? "" : "not even itself\n"};
              }),
              all_is_well);
    EXPECT_EQ(::kill(other, SIGKILL), 0);
    ::waitpid(other, nullptr, 0);
}

TEST_F(ConfinementTest, OtherProcessesAreReachedByNoWayRound)
{
    const pid_t other = ::fork();
    if (other == 0) {
        ::pause();
        ::_exit(0);
    }
    EXPECT_EQ(in_child([this, other] {
                  confine(false);
                  const rlimit little{1, 1};
                  int pair[2]{-1, -1};
                  std::string wrong;
                  const auto expect_refused = [&wrong](const char* what, long result) {
                      wrong += result < 0 && errno == EPERM ? "" : std::string{what} + "\n";
                  };
                  expect_refused("its CPU time", ::prlimit(other, RLIMIT_CPU, &little, nullptr));
                  expect_refused("its priority", ::setpriority(PRIO_PROCESS, static_cast<id_t>(other), 19));
                  expect_refused("its CPUs", ::syscall(SYS_sched_setaffinity, other, sizeof pair, pair));
                  expect_refused("a signal for a file", ::fcntl(STDERR_FILENO, F_SETOWN, other));
                  expect_refused("a signal for a file, by a command with more bits",
                                 ::syscall(SYS_fcntl, STDERR_FILENO, (1L << 32) | F_SETOWN, other));
                  expect_refused("shared memory", ::shmget(IPC_PRIVATE, 1, 0600));
                  expect_refused("a pair that sends anywhere",
                                 ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
                  expect_refused("the same by another name", ::socketpair(AF_UNIX, SOCK_RAW, 0, pair));
                  expect_refused("a namespace", ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
                  const UniqueFd watch{::inotify_init1(IN_CLOEXEC)};
                  expect_refused("names of files", ::inotify_add_watch(watch.get(), "/", IN_CREATE));
                  return wrong;
              }),
              all_is_well);
    EXPECT_EQ(::kill(other, SIGKILL), 0);
    ::waitpid(other, nullptr, 0);
}

TEST_F(ConfinementTest, WhatAVmmNeedsOfItselfIsLeft)
{
    EXPECT_EQ(in_child([this] {
                  confine(false);
                  rlimit files{};
                  int pair[2]{-1, -1};
                  const pid_t child = ::fork();
                  if (child == 0) {
                      ::_exit(0);
                  }
                  return std::string{::getrlimit(RLIMIT_NOFILE, &files) == 0 ? "" : "no limits\n"} +
                         (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ? "" : "no pair\n") +
                         (child > 0 && ::waitpid(child, nullptr, 0) == child ? "" : "no process\n");
              }),
              all_is_well);
}

/// musl's pthread_kill(3) and Firecracker's signal for its CPUs: without it a guest with two of them never ends.
TEST_F(ConfinementTest, FirecrackerStopsItsCpusByASignalThatNamesNoProcess)
{
    constexpr int for_cpus = 35;
    const auto tries = [this] {
        confine(false);
        ::signal(for_cpus, SIG_IGN);
        const auto itself = ::syscall(SYS_gettid);
        const bool stopped = ::syscall(SYS_tkill, itself, for_cpus) == 0;
        const bool killed = ::syscall(SYS_tkill, itself, SIGWINCH) == 0;
        return std::string{stopped ? "stops its CPUs" : "stops nothing"} + (killed ? ", and more" : "");
    };
    EXPECT_EQ(in_child(tries), "stops nothing|");
    arguments.sockets = Sockets::Unix;
    EXPECT_EQ(in_child(tries), "stops its CPUs|");
}

TEST_F(ConfinementTest, ADiskThatIsALinkToAFileIsRefused)
{
    const bool has_roots = OwnRoot{arguments}.problem().empty();  // not where TSan's thread is
    std::filesystem::remove(vm() / "root.img");
    std::filesystem::create_symlink(key(), vm() / "root.img");
    try {
        open_grants(arguments);
        FAIL() << "the key was granted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        EXPECT_THAT(error.what(), HasSubstr("root.img is not"));
    }
    if (has_roots) {
        EXPECT_THAT(OwnRoot{arguments}.problem(), HasSubstr("root.img is not"));
    }
}

TEST_F(ConfinementTest, ALogThatIsALinkIsRefused)
{
    std::filesystem::create_symlink(key(), vm() / "console.log");
    EXPECT_THROW(open_grants(arguments), Error);
}

TEST_F(ConfinementTest, AFileThatIsMissingIsNamed)
{
    std::filesystem::remove(vm() / "kernel");
    try {
        open_grants(arguments);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr((vm() / "kernel").string()));
    }
}

}  // namespace
}  // namespace banger::confine
