// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/passt_network.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <csignal>
#include <fstream>
#include <set>

#include "tests/unit/agent/system/probe_world.hpp"

namespace banger::agent {
namespace {

using ::testing::MatchesRegex;

class PasstNetworkTest : public ::testing::Test {
protected:
    /// A process that waits, with these words on its command line; a test may look at it under the pid file's name.
    pid_t start(const std::string& word)
    {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            ::signal(SIGTERM, SIG_DFL);
            ::execl("/bin/sh", "sh", "-c", "kill -STOP $$; exit 7", word.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        char none = 0;
        EXPECT_EQ(::read(ends[0], &none, 1), 0);  // closed by exec: the words are there
        ::close(ends[0]);
        return child;
    }
    /// How it ended once it was let go: by this signal, or by itself with 0.
    static int end_of(pid_t child)
    {
        int status = 0;
        ::waitpid(child, &status, WUNTRACED);  // it stops itself, unless it was ended before
        if (WIFSTOPPED(status)) {
            ::kill(child, SIGCONT);
            ::waitpid(child, &status, 0);
        }
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    void note(pid_t pid) const { std::ofstream{folder.path / "net.pid"} << pid << "\n"; }

    test::TemporaryFolder folder;
    test::WaitingProcesses processes;
    PasstNetwork network{processes, {"/usr/libexec/banger/banger-netguard", "/usr/libexec/banger/banger-tap"}};
};

TEST_F(PasstNetworkTest, AGuestGetsTheSameUnicastAddressAfterEachStart)
{
    const auto vm = VmId::parse("abcdefghijkl");
    const auto first = network.describe(vm, "192.0.2.7");
    EXPECT_THAT(first.vmm.mac,
                MatchesRegex("02:62:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]"));
    EXPECT_EQ(network.describe(vm, "192.0.2.8").vmm.mac, first.vmm.mac);
    std::set<std::string> addresses;
    for (int i = 0; i < 1000; ++i) {
        addresses.insert(network.describe(VmId::random(), "192.0.2.7").vmm.mac);
    }
    EXPECT_EQ(addresses.size(), 1000U);  // of 2^32: a pair in one of 8,000 runs
}

TEST_F(PasstNetworkTest, ItSaysWhatTheGuestAndTheVmmNeed)
{
    const auto network_of = network.describe(VmId::parse("abcdefghijkl"), "192.0.2.7");
    EXPECT_EQ(network_of.kind, "user");
    EXPECT_EQ(network_of.address, "192.0.2.7");
    EXPECT_EQ(network_of.prefix, 32U);
    EXPECT_EQ(network_of.gateway, "169.254.77.1");
    EXPECT_EQ(network_of.dns, (std::vector<std::string>{"169.254.77.2"}));
    EXPECT_EQ(network_of.vmm.kind, VmmNetwork::Kind::StreamSocket);
    EXPECT_EQ(network_of.vmm.path, "net.sock");
}

TEST_F(PasstNetworkTest, StoppingEndsThePasstOfThisFolder)
{
    const auto child = start((folder.path / "net.pid").string());
    note(child);
    network.stop(folder.path);
    EXPECT_EQ(end_of(child), SIGTERM);
    EXPECT_FALSE(std::filesystem::exists(folder.path / "net.pid"));
}

TEST_F(PasstNetworkTest, StoppingLeavesAProcessThatGotThePidLater)
{
    const auto child = start("/elsewhere/net.pid");
    note(child);
    network.stop(folder.path);
    EXPECT_EQ(end_of(child), 0);
}

TEST_F(PasstNetworkTest, StoppingWhatNeverStartedIsNoError)
{
    network.stop(folder.path / "nowhere");
    network.stop(folder.path);
    for (const auto* text : {"", "x", "0", "1", "-1", "99999999999999"}) {
        std::ofstream{folder.path / "net.pid"} << text;
        network.stop(folder.path);
    }
}

}  // namespace
}  // namespace banger::agent
