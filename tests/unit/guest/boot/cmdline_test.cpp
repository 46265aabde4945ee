// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/cmdline.hpp"

#include <gtest/gtest.h>

namespace banger::guest {
namespace {

TEST(CmdlineTest, EachKeyIsRead)
{
    const auto options = parse_cmdline(
        "console=ttyS0 quiet banger.root=serial=root banger.modules=/dev/vdb banger.work=serial=work "
        "banger.hostname=calm-otter "
        "banger.channel=vsock:52 banger.init=/sbin/runit banger.poweroff=reset banger.probe=1 banger.first-boot=1\n");
    EXPECT_EQ(options.root, "serial=root");
    EXPECT_EQ(options.modules, "/dev/vdb");
    EXPECT_EQ(options.work, "serial=work");
    EXPECT_EQ(options.hostname, "calm-otter");
    EXPECT_EQ(options.channel, "vsock:52");
    EXPECT_EQ(options.init, "/sbin/runit");
    EXPECT_TRUE(options.reset_to_power_off);
    EXPECT_TRUE(options.probe);
    EXPECT_TRUE(options.first_boot);
}

TEST(CmdlineTest, WhatIsNotGivenHasItsDefault)
{
    const auto options = parse_cmdline("");
    EXPECT_EQ(options.root + options.modules + options.work + options.hostname, "");
    EXPECT_EQ(options.channel, "virtio-serial");
    EXPECT_EQ(options.init, "auto");
    EXPECT_FALSE(options.reset_to_power_off);
    EXPECT_FALSE(options.probe);
    EXPECT_FALSE(options.first_boot);
}

TEST(CmdlineTest, KeysOfOthersAndOtherValuesAreIgnored)
{
    const auto options =
        parse_cmdline("root=/dev/vda xbanger.root=a banger.root banger.rootx=b banger.poweroff=acpi banger.probe=yes");
    EXPECT_EQ(options.root, "");
    EXPECT_FALSE(options.reset_to_power_off);
    EXPECT_FALSE(options.probe);
}

TEST(CmdlineTest, QuotesKeepBlanksInAWord)
{
    EXPECT_EQ(parse_cmdline("dyndbg=\"file a +p banger.root=x\" banger.init=\"/a b\"").init, "/a b");
    EXPECT_EQ(parse_cmdline("dyndbg=\"file a +p banger.root=x\"").root, "");
    EXPECT_EQ(parse_cmdline("\"banger.root=/dev/v da\"").root, "/dev/v da");
    EXPECT_EQ(parse_cmdline("banger.root=\"never closed").root, "never closed");
}

TEST(CmdlineTest, TheLastOfTwoWordsCounts) { EXPECT_EQ(parse_cmdline("banger.root=a\tbanger.root=b").root, "b"); }

}  // namespace
}  // namespace banger::guest
