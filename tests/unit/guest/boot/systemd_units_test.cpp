// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/systemd_units.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::guest {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class SystemdUnitsTest : public testing::Test {
protected:
    void write(bool reset = false, const std::vector<std::string>& mounts = {})
    {
        write_systemd_units(folder.path.string(), reset, mounts);
    }
    std::string unit(const std::string& name) const
    {
        std::ifstream file{units / name};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    agent::test::TemporaryFolder folder;
    fs::path units{folder.path / "systemd/system"};
};

TEST_F(SystemdUnitsTest, TheServiceIsStartedEarlyAndAlwaysAgain)
{
    write();
    const auto text = unit("sysinit.target.wants/banger-guest.service");  // through the link
    EXPECT_THAT(text, HasSubstr("\nExecStart=/run/banger/banger-guest --service\n"));
    EXPECT_THAT(text, HasSubstr("\nRestart=always\n"));
    EXPECT_THAT(text, HasSubstr("\nStartLimitIntervalSec=0\n"));
    EXPECT_THAT(text, HasSubstr("\nKillMode=process\n"));
    EXPECT_THAT(text, HasSubstr("\nDefaultDependencies=no\n"));
    EXPECT_THAT(text, HasSubstr("After=local-fs.target"));
    EXPECT_THAT(text, Not(HasSubstr("Conflicts=")));  // it says goodbye last
}

TEST_F(SystemdUnitsTest, EachWayDownIsAnnouncedBeforeFileSystemsGo)
{
    write();
    for (const std::string how : {"poweroff", "reboot", "halt"}) {
        const auto text = unit(how + ".target.wants/banger-bye-" + how + ".service");
        EXPECT_THAT(text, HasSubstr("\nExecStart=/run/banger/banger-guest --announce " + how + "\n"));
        EXPECT_THAT(text,
                    HasSubstr("\nBefore=umount.target final.target " + how + ".target systemd-" + how + ".service\n"));
        EXPECT_THAT(text, HasSubstr("\nType=oneshot\n"));
        EXPECT_THAT(text, HasSubstr("\nTimeoutStartSec=15\n"));
    }
}

TEST_F(SystemdUnitsTest, TheEndOfTheBootIsAnnounced)
{
    write();
    const auto text = unit("multi-user.target.wants/banger-booted.service");
    EXPECT_THAT(text, HasSubstr("\nAfter=multi-user.target\n"));
    EXPECT_THAT(text, HasSubstr("--announce booted\n"));
}

TEST_F(SystemdUnitsTest, EverySshdWaitsForAHostKey)
{
    write();
    for (const std::string sshd : {"ssh.service", "sshd.service", "ssh.socket", "sshd.socket"}) {
        const auto text = unit(sshd + ".wants/banger-ssh-keys.service");
        EXPECT_THAT(text, HasSubstr("ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key\n")) << sshd;
        EXPECT_THAT(text, MatchesRegex("(.|\n)*\nBefore=[^\n]*" + sshd + "(.|\n)*"));
    }
}

TEST_F(SystemdUnitsTest, WhatAVmHasNotIsMasked)
{
    write();
    for (const std::string name :
         {"serial-getty@ttyS0.service", "dev-ttyS0.device", "systemd-networkd-wait-online.service",
          "NetworkManager-wait-online.service", "ifupdown-wait-online.service",
          "../system-generators/systemd-getty-generator", "../system-generators/systemd-gpt-auto-generator"}) {
        EXPECT_EQ(fs::read_symlink(units / name), "/dev/null") << name;
    }
}

TEST_F(SystemdUnitsTest, AHaltIsAPowerOffAndAPowerOffIsLeftAlone)
{
    write(false);
    EXPECT_EQ(unit("systemd-halt.service.d/banger.conf"),
              "[Unit]\nSuccessAction=poweroff-force\n\n[Service]\nExecStart=\n");
    EXPECT_FALSE(fs::exists(units / "systemd-poweroff.service.d"));
}

TEST_F(SystemdUnitsTest, WhereOnlyAResetEndsTheVmmEachWayDownIsOne)
{
    write(true);
    EXPECT_THAT(unit("systemd-halt.service.d/banger.conf"), HasSubstr("SuccessAction=reboot-force\n"));
    EXPECT_THAT(unit("systemd-poweroff.service.d/banger.conf"), HasSubstr("SuccessAction=reboot-force\n"));
}

TEST_F(SystemdUnitsTest, OurMountsStayUntilTheLastRound)
{
    write(false, {"/root", "/usr/lib/modules/6.1.0-18-amd64"});
    EXPECT_EQ(unit("root.mount.d/banger.conf"), "[Unit]\nDefaultDependencies=no\n");
    EXPECT_EQ(unit("usr-lib-modules-6.1.0\\x2d18\\x2damd64.mount.d/banger.conf"), "[Unit]\nDefaultDependencies=no\n");
}

TEST_F(SystemdUnitsTest, WritingThemTwiceIsTheSameAsOnce)
{
    write(true, {"/root"});
    EXPECT_NO_THROW(write(true, {"/root"}));
    EXPECT_EQ(fs::read_symlink(units / "dev-ttyS0.device"), "/dev/null");
}

TEST_F(SystemdUnitsTest, AFolderThatCannotBeMadeIsOurError)
{
    std::ofstream{folder.path / "systemd"} << "a file";
    EXPECT_THROW(write(), Error);
}

// The right sides are those of `systemd-escape --path --suffix=mount`, systemd 252.
TEST(MountUnitTest, NamesAreEscapedAsSystemdDoesIt)
{
    EXPECT_EQ(mount_unit("/root"), "root.mount");
    EXPECT_EQ(mount_unit("/a/b c/d-e"), "a-b\\x20c-d\\x2de.mount");
    EXPECT_EQ(mount_unit("/.hidden/x.y"), "\\x2ehidden-x.y.mount");
    EXPECT_EQ(mount_unit("/\xc3\xa9"), "\\xc3\\xa9.mount");
    EXPECT_EQ(mount_unit("/a_b:c\\d"), "a_b:c\\x5cd.mount");
}

}  // namespace
}  // namespace banger::guest
