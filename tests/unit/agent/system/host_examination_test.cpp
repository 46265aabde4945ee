// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/system/host_examination.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using State = BrokerReport::State;
using ::testing::HasSubstr;

Finding finding(State state, const std::string& detail, const std::filesystem::path& program = "/nowhere/broker")
{
    return finding_of({state, detail, {}}, program, "alice");
}

TEST(BrokerFinding, IsWellWhereSandboxesMayBeHad) { EXPECT_EQ(finding(State::Ready, "").verdict, "ok"); }

TEST(BrokerFinding, NamesTheGroupThatIsNotAsked)
{
    const auto refused = finding(State::Refuses, "polkit wants a password; members of the group banger need none");
    EXPECT_EQ(refused.verdict, "warn");
    EXPECT_EQ(refused.mend, "usermod -aG banger alice");
    EXPECT_THAT(refused.detail, HasSubstr("root disks are files"));
}

TEST(BrokerFinding, HasACommandForEachOtherState)
{
    EXPECT_EQ(finding(State::Missing, "there is none").mend, "apt install banger-broker");
    EXPECT_THAT(finding(State::Old, "of another version").mend, HasSubstr("upgrade"));
    EXPECT_THAT(finding(State::Failing, "no answer").mend, HasSubstr("systemctl status"));
    const test::TemporaryFolder folder;
    std::ofstream{folder.path / "banger-broker"} << "x";
    EXPECT_THAT(finding(State::Failing, "no answer", folder.path / "banger-broker").mend, HasSubstr("--check"));
}

TEST(ResolversFinding, WantsAServerThatIsNotThisHostItself)
{
    const test::TemporaryFolder root;
    std::filesystem::create_directories(root.path / "etc");
    std::ofstream{root.path / "etc/resolv.conf"} << "nameserver 127.0.0.1\nnameserver ::1\n";
    EXPECT_EQ(finding_of_resolvers(root.path).verdict, "warn");
    EXPECT_THAT(finding_of_resolvers(root.path).detail, HasSubstr("--network user"));
    std::filesystem::create_directories(root.path / "run/systemd/resolve");
    std::ofstream{root.path / "run/systemd/resolve/resolv.conf"} << "nameserver 192.0.2.1\nnameserver 192.0.2.2\n";
    EXPECT_EQ(finding_of_resolvers(root.path).verdict, "ok");
    EXPECT_EQ(finding_of_resolvers(root.path).detail, "192.0.2.1 192.0.2.2");
}

TEST(NamesFinding, LooksForBangerInTheLineOfHosts)
{
    const test::TemporaryFolder root;
    const auto verdict = [&](const std::string& line) {
        std::filesystem::create_directories(root.path / "etc");
        std::ofstream{root.path / "etc/nsswitch.conf"} << "passwd: files banger\n" << line << "\nnetworks: files\n";
        return finding_of_names(root.path).verdict;
    };
    EXPECT_EQ(finding_of_names(root.path).verdict, "warn") << "no such file";
    EXPECT_EQ(verdict("hosts: files banger dns"), "ok");
    EXPECT_EQ(verdict("hosts:banger files"), "ok");
    EXPECT_EQ(verdict("hosts: files dns"), "warn");
    EXPECT_EQ(verdict("hosts: files dns # banger"), "warn");
    EXPECT_EQ(verdict("hosts: files bangers"), "warn");
    EXPECT_EQ(verdict("# hosts: files banger"), "warn");
    EXPECT_EQ(finding_of_names(root.path).mend, "apt install banger-broker");
    std::filesystem::create_directories(root.path / "usr/lib/some-linux-gnu");
    std::ofstream{root.path / "usr/lib/some-linux-gnu/libnss_banger.so.2"} << "x";
    EXPECT_THAT(finding_of_names(root.path).mend, HasSubstr("/etc/nsswitch.conf"));
}

TEST(NamesFinding, WarnsWhereNscdAnswersForAllUsers)
{
    const test::TemporaryFolder root;
    std::filesystem::create_directories(root.path / "etc");
    std::filesystem::create_directories(root.path / "run/nscd");
    std::ofstream{root.path / "etc/nsswitch.conf"} << "hosts: files banger dns\n";
    const auto verdict = [&](const std::string& lines) {
        std::ofstream{root.path / "etc/nscd.conf"} << "\tenable-cache\t\tpasswd\t\tyes\n" << lines;
        return finding_of_names(root.path).verdict;
    };
    EXPECT_EQ(verdict("\tenable-cache\t\thosts\t\tyes\n"), "ok") << "it does not run";
    std::ofstream{root.path / "run/nscd/socket"} << "";
    EXPECT_EQ(finding_of_names(root.path).verdict, "warn");
    EXPECT_THAT(finding_of_names(root.path).mend, HasSubstr("systemctl restart nscd"));
    EXPECT_EQ(verdict("\tenable-cache\t\thosts\t\tno\n"), "ok");
    EXPECT_EQ(verdict("#\tenable-cache\t\thosts\t\tyes\n"), "ok");
    EXPECT_EQ(verdict(""), "ok") << "as its manual has it";
}

}  // namespace
}  // namespace banger::agent
