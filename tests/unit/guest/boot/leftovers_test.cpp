// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/leftovers.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <vector>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::guest {
namespace {

using namespace std::chrono_literals;

/// A folder that looks like a control group, and processes of the test's that it names.
class LeftoversTest : public testing::Test {
protected:
    ~LeftoversTest() override
    {
        for (const auto pid : running) {
            ::kill(pid, SIGKILL);
        }
    }
    pid_t start(bool ignores_terms = false)
    {
        int ready[2];
        EXPECT_EQ(::pipe(ready), 0);
        const auto pid = ::fork();
        if (pid == 0) {
            ::signal(SIGTERM, ignores_terms ? SIG_IGN : SIG_DFL);
            (void)!::write(ready[1], "x", 1);
            for (;;) {
                ::pause();
            }
        }
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        ::close(ready[0]);
        ::close(ready[1]);
        running.push_back(pid);
        loop.on_child(pid, [this, pid](int status) {
            std::erase(running, pid);
            statuses[pid] = status;
        });
        return pid;
    }
    void list(const std::vector<pid_t>& pids) const
    {
        std::ofstream file{folder.path / "cgroup.procs"};
        for (const auto pid : pids) {
            file << pid << "\n";
        }
    }
    /// Until `done` ran; false: it did not within 10 s.
    bool end(
        std::chrono::milliseconds limit, const std::function<void()>& meanwhile = [] {})
    {
        bool done = false;
        leftovers.end(limit, [&] {
            done = true;
            loop.quit();
        });
        meanwhile();
        const auto late = loop.after(10s, [this] { loop.quit(); });
        if (!done) {
            loop.run();
        }
        return done;
    }
    int signal_of(pid_t pid)
    {
        const auto late = loop.after(10s, [this] { loop.quit(); });
        loop.after_each_round([this, pid] {
            if (statuses.contains(pid)) {
                loop.quit();
            }
        });
        if (!statuses.contains(pid)) {
            loop.run();
        }
        return WIFSIGNALED(statuses[pid]) ? WTERMSIG(statuses[pid]) : 0;
    }

    agent::test::TemporaryFolder folder;
    Loop loop;
    Leftovers leftovers{loop, folder.path.string()};
    std::vector<pid_t> running;
    std::map<pid_t, int> statuses;
};

TEST_F(LeftoversTest, NobodyThereIsDoneAtOnce)
{
    EXPECT_TRUE(end(5s));  // no such control group
    list({});
    EXPECT_TRUE(end(5s));
}

TEST_F(LeftoversTest, AProcessThatObeysIsAskedAndNotKilled)
{
    const auto pid = start();
    list({pid});
    EXPECT_TRUE(end(8s));
    EXPECT_EQ(signal_of(pid), SIGTERM);
}

TEST_F(LeftoversTest, AProcessThatIgnoresItIsKilledAtTheLimit)
{
    const auto pid = start(true);
    const auto other = start();
    list({pid, other});
    EXPECT_TRUE(end(20ms));
    EXPECT_EQ(signal_of(pid), SIGKILL);
    EXPECT_EQ(signal_of(other), SIGTERM);
}

TEST_F(LeftoversTest, AStoppedProcessIsWokenToEnd)
{
    const auto pid = start();
    ::kill(pid, SIGSTOP);
    list({pid});
    EXPECT_TRUE(end(8s));
    EXPECT_EQ(signal_of(pid), SIGTERM);
}

TEST_F(LeftoversTest, AProcessThatComesMeanwhileIsEndedToo)
{
    const auto first = start();
    const auto second = start();
    list({first});
    EXPECT_TRUE(end(8s, [&] { list({first, second}); }));
    EXPECT_EQ(signal_of(second), SIGTERM);
}

TEST_F(LeftoversTest, WeOurselvesAndDamagedLinesAreLeftAlone)
{
    list({::getpid(), 0});
    EXPECT_TRUE(end(8s));
}

TEST(OwnControlGroupTest, ItIsAFolderOfCgroup2OrNone)
{
    const auto group = own_control_group();
    EXPECT_TRUE(group.empty() || group.starts_with("/sys/fs/cgroup/")) << group;
}

}  // namespace
}  // namespace banger::guest
