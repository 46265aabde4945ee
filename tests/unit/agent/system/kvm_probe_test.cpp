// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/kvm_probe.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/unit/agent/system/probe_world.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class KvmProbeTest : public test::ProbeTest {
protected:
    /// As a bangerd that was just started.
    KvmProbe::Verdict ask(Artifact kernel)
    {
        KvmProbe probe{loop, processes, links, [this] { return &qemu; }, state.path, [this] { return device_problem; }};
        const auto answer = run(probe.ask(std::move(kernel)));
        EXPECT_TRUE(answer->value) << answer->error->what();
        return answer->value.value_or(KvmProbe::Verdict{false, "none"});
    }
    std::filesystem::path memory() const { return state.path / "kvm.json"; }
    json remembered() const
    {
        std::ifstream file{memory()};
        return json::parse(file, nullptr, false);
    }
};

TEST_F(KvmProbeTest, AGuestThatSaysReadyMakesKvmUsableAndIsTriedOnceABoot)
{
    EXPECT_TRUE(ask(kernel()).usable);
    EXPECT_TRUE(ask(kernel()).usable);
    EXPECT_EQ(processes.starts, 1);
    EXPECT_THAT(processes.last_arguments, ::testing::Contains(HasSubstr("banger.probe=1")));
}

TEST_F(KvmProbeTest, TheProbeLeavesNeitherProcessNorFolder)
{
    EXPECT_TRUE(ask(kernel()).usable);
    int status = 0;
    ASSERT_EQ(::waitpid(processes.child, &status, 0), processes.child);
    processes.child = 0;
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_EQ(files(), (std::vector<std::string>{"kvm.json"}));
}

TEST_F(KvmProbeTest, AnotherKernelIsTriedAnew)
{
    EXPECT_TRUE(ask(kernel('a')).usable);
    links.says_ready = false;
    processes.ends_at_once = true;
    EXPECT_FALSE(ask(kernel('b')).usable);
    EXPECT_EQ(processes.starts, 2);
}

TEST_F(KvmProbeTest, AnotherBootOfTheHostIsTriedAnew)
{
    EXPECT_TRUE(ask(kernel()).usable);
    auto memory_of_older = remembered();
    memory_of_older["boot_id"] = "00000000-0000-0000-0000-000000000000";
    std::ofstream{memory()} << memory_of_older;
    EXPECT_TRUE(ask(kernel()).usable);
    EXPECT_EQ(processes.starts, 2);
}

TEST_F(KvmProbeTest, AMemoryThatIsDamagedIsAskedAnew)
{
    EXPECT_TRUE(ask(kernel()).usable);
    const auto good = remembered();
    auto number = good;
    number["boot_id"] = 7;
    auto word = good;
    word["usable"] = "yes";
    auto without = good;
    without.erase("usable");
    auto list = good;
    list["kernel"] = json::array();
    int starts = processes.starts;
    for (const auto& text :
         {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{"null"}, std::string{"\xff"},
          good.dump().substr(0, 40), number.dump(), word.dump(), without.dump(), list.dump()}) {
        std::ofstream{memory()} << text;
        EXPECT_TRUE(ask(kernel()).usable) << text;
        EXPECT_EQ(processes.starts, ++starts) << text;
        EXPECT_EQ(remembered(), good);
    }
    auto odd_reason = good;
    odd_reason["reason"] = 7;
    std::ofstream{memory()} << odd_reason;
    EXPECT_TRUE(ask(kernel()).usable);
    std::filesystem::remove(memory());
    std::filesystem::create_directory(memory());
    EXPECT_TRUE(ask(kernel()).usable);
}

/// EBUSY and the OOM killer pass; what was remembered would hold until the host reboots.
TEST_F(KvmProbeTest, AQemuThatEndsIsNoKvmItsWordsAreToldAndItIsTriedAnew)
{
    links.says_ready = false;
    processes.ends_at_once = true;
    processes.words = "ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy";
    const auto verdict = ask(kernel());
    EXPECT_FALSE(verdict.usable);
    EXPECT_THAT(verdict.reason, HasSubstr("Device or resource busy"));
    EXPECT_THAT(files(), IsEmpty());
    links.says_ready = true;
    processes.ends_at_once = false;
    EXPECT_TRUE(ask(kernel()).usable);
    EXPECT_EQ(processes.starts, 2);
}

TEST_F(KvmProbeTest, ATrialThatCouldNotBeginIsNotRemembered)
{
    processes.failure = Error{ErrorCode::HostLacks, "no qemu here"};
    const auto verdict = ask(kernel());
    EXPECT_FALSE(verdict.usable);
    EXPECT_THAT(verdict.reason, HasSubstr("no qemu here"));
    EXPECT_THAT(files(), IsEmpty());
    processes.failure.reset();
    EXPECT_TRUE(ask(kernel()).usable);
}

TEST_F(KvmProbeTest, ADeviceThatDoesNotOpenIsSaidWithoutATrialAndEvenIfItOnceDid)
{
    EXPECT_TRUE(ask(kernel()).usable);
    device_problem = "/dev/kvm may not be opened by you";
    const auto verdict = ask(kernel());
    EXPECT_FALSE(verdict.usable);
    EXPECT_EQ(verdict.reason, device_problem);
    device_problem.clear();
    EXPECT_TRUE(ask(kernel()).usable);
    EXPECT_EQ(processes.starts, 1);
}

TEST_F(KvmProbeTest, TwoWhoAskAtOnceAreAnsweredByOneTrial)
{
    KvmProbe probe{loop, processes, links, [this] { return &qemu; }, state.path, [this] { return device_problem; }};
    const auto first = begin(probe.ask(kernel()));
    const auto second = begin(probe.ask(kernel()));
    EXPECT_TRUE(drive([&] { return first->ended && second->ended; }));
    EXPECT_TRUE(first->value->usable && second->value->usable);
    EXPECT_EQ(processes.starts, 1);
}

TEST_F(KvmProbeTest, WhatAKilledBangerdLeftIsClearedAndWhatIsNotOursStays)
{
    for (const auto* name : {"probe-abcdefghijkl", "probe-mnopqrstuvwx.removed", "probe-Photos", "probe-", "vms"}) {
        std::filesystem::create_directory(state.path / name);
    }
    processes.found_child = true;
    KvmProbe probe{loop, processes, links, [this] { return &qemu; }, state.path, [this] { return device_problem; }};
    const auto answer = run(with_value(probe.clear_leftovers()));
    EXPECT_TRUE(answer->value);
    EXPECT_EQ(files(), (std::vector<std::string>{"probe-", "probe-Photos", "vms"}));
    int status = 0;
    ASSERT_EQ(::waitpid(processes.child, &status, 0), processes.child);
    processes.child = 0;
    EXPECT_TRUE(WIFSIGNALED(status));
}

/// Its group is one that nobody is in but by his login, this process's own.
TEST(RefusedProblemTest, ItNamesTheGroupAndWhatMendsIt)
{
    test::TemporaryFolder folder;
    const auto device = folder.path / "device";
    std::ofstream{device} << "";
    std::filesystem::permissions(device, std::filesystem::perms{0600});
    EXPECT_THAT(refused_problem(device), HasSubstr("nor by any group"));
    std::filesystem::permissions(device, std::filesystem::perms{0660});
    const auto* user = ::getpwuid(::geteuid());
    ASSERT_NE(user, nullptr);
    const auto* group = ::getgrgid(::getegid());
    ASSERT_NE(group, nullptr);
    // We are in it, by the host's files, too: so a login would do.
    EXPECT_THAT(refused_problem(device),
                ::testing::AllOf(HasSubstr(std::string{"you are in group "} + group->gr_name),
                                 HasSubstr(std::string{"loginctl terminate-user "} + user->pw_name)));
    const auto* other = ::getgrnam("nogroup");
    if (::geteuid() == 0 && other != nullptr) {
        ASSERT_EQ(::chown(device.c_str(), 0, other->gr_gid), 0);
        EXPECT_THAT(refused_problem(device), HasSubstr(std::string{"usermod -aG nogroup "} + user->pw_name));
    }
}

}  // namespace
}  // namespace banger::agent
