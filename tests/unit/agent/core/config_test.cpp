// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

const HostFacts host{8, std::uint64_t{32} << 30U, "/home/u"};

std::string config_refusal(std::string_view text, const Variables& variables = {})
{
    try {
        parse_config(text, "/home/u/config.toml", host, variables);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
    return "it was taken";
}

TEST(ConfigTest, WithoutAFileTheHostSaysHowMuch)
{
    const auto config = default_config(host);
    EXPECT_EQ(config.vcpus, 2U);
    EXPECT_EQ(config.memory_mib, 4096U);
    EXPECT_EQ(config.disk, 8 * gib);
    EXPECT_EQ(config.default_image, "debian");
    EXPECT_EQ(config.log_level, "info");
}

TEST(ConfigTest, DefaultsStayWithinTheirBounds)
{
    EXPECT_EQ(default_config({1, std::uint64_t{1} << 30U}).vcpus, 1U);
    EXPECT_EQ(default_config({1, std::uint64_t{1} << 30U}).memory_mib, 512U);
    EXPECT_EQ(default_config({256, std::uint64_t{1} << 40U}).vcpus, 4U);
    EXPECT_EQ(default_config({256, std::uint64_t{1} << 40U}).memory_mib, 8192U);
}

TEST(ConfigTest, AFileThatIsNotThereIsAnEmptyOne)
{
    EXPECT_EQ(load_config("/no/such/config.toml", host).memory_mib, 4096U);
}

TEST(ConfigTest, AFileThatCantBeReadIsSaid)
{
    const test::TemporaryFolder folder;
    std::vector<std::filesystem::path> files{folder.path};
    if (::geteuid() != 0) {
        files.push_back(folder.path / "config.toml");
        std::ofstream{files.back()} << "default_image = \"mine\"\n";
        std::filesystem::permissions(files.back(), std::filesystem::perms::none);
    }
    for (const auto& file : files) {
        try {
            load_config(file, host);
            ADD_FAILURE() << "it was taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), HasSubstr(file.string() + " can't be read: "));
        }
        const auto report = report_config(file, host);
        EXPECT_EQ(report.problems.size(), 1U);
        EXPECT_EQ(report.values.size(), 26U);
    }
}

TEST(ConfigTest, TakesEveryKey)
{
    const auto config = parse_config(R"(
log_level = "debug"
default_image = "mine"
default_kernel = "6.1"
[vm_defaults]
vcpu = 3
memory_mib = 512
disk_size = "20G"
vmm = "qemu-tcg"
network = "none"
nat = true
storage = "dm-snapshot"
system_overlay_size = "4G"
)",
                                     "f", host);
    EXPECT_EQ(config.log_level, "debug");
    EXPECT_EQ(config.default_image, "mine");
    EXPECT_EQ(config.default_kernel, "6.1");
    EXPECT_EQ(config.vcpus, 3U);
    EXPECT_EQ(config.memory_mib, 512U);
    EXPECT_EQ(config.disk, 20 * gib);
    EXPECT_EQ(config.vmm, VmmChoice::QemuTcg);
    EXPECT_EQ(config.network, NetworkChoice::None);
    EXPECT_EQ(config.nat, Nat::On);
    EXPECT_EQ(config.storage, StorageChoice::DmSnapshot);
    EXPECT_EQ(config.overlay, 4 * gib);
}

TEST(ConfigTest, TheDefaultKernelMayBeAFile)
{
    const auto config = parse_config("default_kernel = '~/vmlinuz'", "f", host);
    EXPECT_EQ(config.default_kernel, "default");
    EXPECT_EQ(config.default_kernel_file, "/home/u/vmlinuz");
    EXPECT_EQ(parse_config("", "f", host).default_kernel_file, "");
    const auto other = parse_config("default_kernel = '/boot/vmlinuz'", "f", host, {{"BANGER_DEFAULT_KERNEL", "mine"}});
    EXPECT_EQ(other.default_kernel, "mine");
    EXPECT_EQ(other.default_kernel_file, "") << "a variable wins over the whole of it";
    EXPECT_THAT(config_refusal("default_kernel = 'boot/vmlinuz'"), HasSubstr("must be an absolute path"));
}

TEST(ConfigTest, PathsAreAbsoluteOrBelowTheHome)
{
    const auto config = parse_config(R"(
runtime_dir = "/opt/bundle"
firecracker_bin = "~/bin/firecracker"
mapdns_bin = "/usr/bin/mapdns"
mapdns_data_file = "~/.mapdns"
ssh_key_path = "~/.ssh/id"
namegen_path = "/usr/bin/namegen"
customize_script = "~/customize"
default_rootfs = "/r"
default_base_rootfs = "/b"
default_initrd = "/i"
default_modules_dir = "/m"
default_packages_file = "~/packages"
)",
                                     "f", host);
    EXPECT_EQ(config.runtime_dir, "/opt/bundle");
    EXPECT_EQ(config.firecracker_bin, "/home/u/bin/firecracker");
    EXPECT_EQ(config.mapdns_bin, "/usr/bin/mapdns");
    EXPECT_EQ(config.mapdns_data_file, "/home/u/.mapdns");
    EXPECT_EQ(config.ssh_key_path, "/home/u/.ssh/id");
    EXPECT_EQ(config.namegen_path, "/usr/bin/namegen");
    EXPECT_EQ(config.customize_script, "/home/u/customize");
    EXPECT_EQ(config.default_rootfs, "/r");
    EXPECT_EQ(config.default_base_rootfs, "/b");
    EXPECT_EQ(config.default_initrd, "/i");
    EXPECT_EQ(config.default_modules_dir, "/m");
    EXPECT_EQ(config.default_packages_file, "/home/u/packages");
    EXPECT_EQ(parse_config("runtime_dir = ''\n", "f", host).runtime_dir, "");
    EXPECT_THAT(config_refusal("firecracker_bin = 'firecracker'"), HasSubstr("must be an absolute path"));
    EXPECT_THAT(config_refusal("firecracker_bin = '~other/firecracker'"), HasSubstr("must be an absolute path"));
    EXPECT_THAT(config_refusal("namegen_path = \"/bin/a\\nb\""), HasSubstr("control character"));
    try {
        parse_config("ssh_key_path = '~/x'", "f", {8, 0});
        ADD_FAILURE() << "there is no home";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("HOME is not set"));
    }
}

TEST(ConfigTest, FilesToCopyStayBelowTheHome)
{
    const auto syncs = parse_config(R"(
[[file_sync]]
from = "~/.gitconfig"
[[file_sync]]
from = ".config/app/"
to = "/etc/app"
mode = "0600"
[[file_sync]]
from = "/home/u/bin/./tool"
to = "bin/tool"
mode = 0o755
)",
                                    "f", host)
                           .file_sync;
    ASSERT_EQ(syncs.size(), 3U);
    EXPECT_EQ(syncs[0].from, ".gitconfig");
    EXPECT_EQ(syncs[0].to, "/root/.gitconfig");
    EXPECT_EQ(syncs[0].mode, 0U);
    EXPECT_EQ(syncs[1].from, ".config/app");
    EXPECT_EQ(syncs[1].to, "/etc/app");
    EXPECT_EQ(syncs[1].mode, 0600U);
    EXPECT_EQ(syncs[2].from, "bin/tool");
    EXPECT_EQ(syncs[2].to, "/root/bin/tool");
    EXPECT_EQ(syncs[2].mode, 0755U);
    for (const auto* from : {"/etc/passwd", "~/../other/x", "..", "~", "~/", "", ".", "/home/u", "/home/user/x",
                             "a/../../x", "/", "~//etc/passwd"}) {
        EXPECT_THAT(config_refusal("\n[[file_sync]]\nfrom = '" + std::string{from} + "'\n"),
                    HasSubstr(":2: file_sync: from: must be a file or folder below your home"))
            << from;
    }
    for (const auto* to : {"/", "", "../x", "/root", "/a/../..", "/etc/"}) {
        EXPECT_THAT(config_refusal("[[file_sync]]\nfrom = 'x'\nto = '" + std::string{to} + "'\n"),
                    HasSubstr("file_sync: to: must be"))
            << to;
    }
    for (const auto* mode : {"'4755'", "'x'", "0", "-1", "''", "true"}) {
        EXPECT_THAT(config_refusal("[[file_sync]]\nfrom = 'x'\nmode = " + std::string{mode} + "\n"),
                    HasSubstr("mode: must be permissions"))
            << mode;
    }
    EXPECT_THAT(config_refusal("[[file_sync]]\nto = '/x'\n"), HasSubstr("lacks from"));
    EXPECT_THAT(config_refusal("[[file_sync]]\nfrm = 'x'\n"), HasSubstr("did you mean from?"));
    EXPECT_THAT(config_refusal("[[file_sync]]\nfrom = 'x'\n[[file_sync]]\nfrom = 7\n"), HasSubstr(":3: file_sync"));
    EXPECT_THAT(config_refusal("file_sync = 'x'\n"), HasSubstr(":1: file_sync: must be tables"));
    EXPECT_THAT(config_refusal("file_sync = ['x']\n"), HasSubstr("must be tables"));
}

TEST(ConfigTest, ADurationIsNumbersWithUnits)
{
    const auto seconds_of = [](const std::string& text) {
        return parse_config("auto_stop_stale_after = '" + text + "'", "f", host).auto_stop_stale_after.count();
    };
    EXPECT_EQ(seconds_of("0"), 0);
    EXPECT_EQ(seconds_of("90s"), 90);
    EXPECT_EQ(seconds_of("1h30m"), 5'400);
    EXPECT_EQ(seconds_of("12h"), 43'200);
    EXPECT_EQ(seconds_of("2d"), 172'800);
    for (const auto* text : {"", "12", "h", "12x", "-1h", "1.5h", "1h 2m", "99999999999999999999h", "9000000000000000d",
                             "3650d1s", "1h30"}) {
        EXPECT_THAT(config_refusal(std::string{"auto_stop_stale_after = '"} + text + "'"),
                    HasSubstr("is not a duration"))
            << text;
    }
    EXPECT_THAT(config_refusal("auto_stop_stale_after = 12"), HasSubstr("must be a string"));
}

TEST(ConfigTest, NotificationsAreShownUntilSomebodySwitchesThemOff)
{
    EXPECT_TRUE(parse_config("", "f", host).notifications);
    EXPECT_TRUE(parse_config("[desktop]\n", "f", host).notifications);
    EXPECT_FALSE(parse_config("[desktop]\nnotifications = false\n", "f", host).notifications);
    EXPECT_TRUE(parse_config("[desktop]\nnotifications = false\n", "f", host, {{"BANGER_NOTIFICATIONS", "true"}})
                    .notifications);
    EXPECT_THAT(config_refusal("[desktop]\nnotifications = 'no'"),
                HasSubstr("config.toml:2: notifications: must be true or false"));
    EXPECT_THAT(config_refusal("[desktop]\nnotification = true"), HasSubstr("did you mean notifications?"));
    EXPECT_THAT(config_refusal("[desktp]\nnotifications = true"), HasSubstr("did you mean desktop?"));
    EXPECT_THAT(config_refusal("desktop = false"), HasSubstr("unknown key \"desktop\""));
}

TEST(ConfigTest, AVariableWinsOverTheFile)
{
    const auto config =
        parse_config("log_level = 'warn'\nruntime_dir = '/a'\n[vm_defaults]\nvcpu = 1\nnat = false\n", "f", host,
                     {{"BANGER_LOG_LEVEL", "error"},
                      {"BANGER_VCPU", "3"},
                      {"BANGER_MEMORY", "2G"},
                      {"BANGER_NAT", "true"},
                      {"BANGER_RUNTIME_DIR", ""},
                      {"BANGER_COLOUR", "red"}});
    EXPECT_EQ(config.log_level, "error");
    EXPECT_EQ(config.vcpus, 3U);
    EXPECT_EQ(config.memory_mib, 2048U);
    EXPECT_EQ(config.nat, Nat::On);
    EXPECT_EQ(config.runtime_dir, "/a") << "an empty variable is none";
    EXPECT_EQ(parse_config("", "f", host, {{"BANGER_MEMORY", "700"}}).memory_mib, 700U);
    EXPECT_THAT(config_refusal("", {{"BANGER_VCPU", "many"}}),
                HasSubstr("BANGER_VCPU: must be a whole number (it is \"many\")"));
    EXPECT_THAT(config_refusal("", {{"BANGER_NAT", "yes"}}), HasSubstr("BANGER_NAT: must be true or false"));
    EXPECT_THAT(config_refusal("", {{"BANGER_LOG_LEVEL", "loud"}}), HasSubstr("BANGER_LOG_LEVEL: must be debug"));
}

TEST(ConfigTest, AMistakeNamesFileLineAndKey)
{
    EXPECT_THAT(config_refusal("\n\nlog_level = 7\n"), HasSubstr("/home/u/config.toml:3: log_level: must be a string"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nvcpu = 'two'\n"),
                HasSubstr("config.toml:2: vcpu: must be a whole number"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nvcpu = 2.0\n"), HasSubstr("must be a whole number"));
    EXPECT_THAT(config_refusal("[vm_defaults]\ndisk_size = 16\n"), HasSubstr("disk_size: must be a string"));
    EXPECT_THAT(config_refusal("[vm_defaults]\ndisk_size = '16Q'\n"), HasSubstr("\"16Q\" is not a size"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nvmm = 'xen'\n"),
                HasSubstr("there are auto, firecracker, qemu-kvm, qemu-tcg"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nnat = 'yes'\n"), HasSubstr("nat: must be true or false"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nstorage = 'zfs'\n"), HasSubstr("there are auto, file, dm-snapshot"));
    EXPECT_THAT(config_refusal("default_image = '../x'\n"), HasSubstr("config.toml:1: default_image:"));
    EXPECT_THAT(config_refusal("vm_defaults = 3\n"), HasSubstr("config.toml:1:"));
    EXPECT_THAT(config_refusal("log_level = 'loud'\n"), HasSubstr("must be debug, info, warn or error"));
}

TEST(ConfigTest, AnUnknownKeyNamesTheOneThatWasMeant)
{
    EXPECT_THAT(config_refusal("log_levl = 'info'\n"), HasSubstr("unknown key \"log_levl\"; did you mean log_level?"));
    EXPECT_THAT(config_refusal("[vm_default]\n"), HasSubstr("did you mean vm_defaults?"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nvcpus = 2\n"), HasSubstr("did you mean vcpu?"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nmemory = 512\n"), HasSubstr("did you mean memory_mib?"));
    EXPECT_THAT(config_refusal("[vm_defaults]\nlog_level = 'info'\n"), HasSubstr("unknown key \"log_level\""));
    EXPECT_THAT(config_refusal("colour = 'red'\n"), ::testing::Not(HasSubstr("did you mean")));
}

TEST(ConfigTest, NumbersAreCheckedAtTheirBounds)
{
    EXPECT_EQ(parse_config("[vm_defaults]\nvcpu = 64\nmemory_mib = 1048576\n", "f", host).memory_mib, 1048576U);
    EXPECT_EQ(parse_config("[vm_defaults]\nvcpu = 1\nmemory_mib = 128\n", "f", host).memory_mib, 128U);
    for (const auto* text : {"vcpu = 0", "vcpu = 65", "vcpu = -1", "memory_mib = 127", "memory_mib = 1048577",
                             "vcpu = 9223372036854775807", "memory_mib = 4294967424"}) {
        EXPECT_THAT(config_refusal(std::string{"[vm_defaults]\n"} + text), HasSubstr("must be")) << text;
    }
}

std::string origin_of(const ConfigReport& report, std::string_view key)
{
    for (const auto& row : report.values) {
        if (row.key == key) {
            return row.value + " from " + row.origin;
        }
    }
    return "it is not told";
}

TEST(ConfigTest, AReportTellsEachKeyWithItsOrigin)
{
    const test::TemporaryFolder folder;
    const auto file = folder.path / "config.toml";
    std::ofstream{file} << "log_level = 'warn'\n[vm_defaults]\nvcpu = 3\ndisk_size = '20G'\nnat = true\n"
                           "[[file_sync]]\nfrom = '.x'\nmode = '0640'\n";
    const auto report = report_config(file, host);
    EXPECT_THAT(report.problems, ::testing::IsEmpty());
    EXPECT_EQ(report.values.size(), 26U);
    EXPECT_EQ(origin_of(report, "log_level"), "\"warn\" from " + file.string() + ":1");
    EXPECT_EQ(origin_of(report, "vm_defaults.vcpu"), "3 from " + file.string() + ":3");
    EXPECT_EQ(origin_of(report, "vm_defaults.nat"), "true from " + file.string() + ":5");
    EXPECT_EQ(origin_of(report, "vm_defaults.memory_mib"), "4096 from default");
    EXPECT_EQ(report_config(folder.path / "none", host).values.size(), 26U);
    // What is told could stand in the file.
    std::string again;
    for (const auto& row : report.values) {
        again += row.key + " = " + row.value + "\n";
    }
    std::ofstream{file} << again;
    const auto same = report_config(file, host);
    EXPECT_THAT(same.problems, ::testing::IsEmpty());
    for (std::size_t i = 0; i < same.values.size(); ++i) {
        EXPECT_EQ(same.values[i].value, report.values[i].value) << report.values[i].key;
    }
}

TEST(ConfigTest, AReportNamesEachMistakeInOrderAndHasTheDefaultThere)
{
    const test::TemporaryFolder folder;
    const auto file = folder.path / "config.toml";
    std::ofstream{file} << "log_levl = 'warn'\nlog_level = 'loud'\n[vm_defaults]\nvcpu = 3\nmemory_mib = 'much'\n";
    const auto report = report_config(file, host);
    EXPECT_THAT(report.problems,
                ::testing::ElementsAre(HasSubstr(":1: unknown key \"log_levl\""), HasSubstr(":2: log_level: must be"),
                                       HasSubstr(":5: memory_mib: must be")));
    EXPECT_EQ(origin_of(report, "log_level"), "\"info\" from default");
    EXPECT_EQ(origin_of(report, "vm_defaults.vcpu"), "3 from " + file.string() + ":4");
}

TEST(ConfigTest, AReportNamesTheVariableThatWon)
{
    const test::TemporaryFolder folder;
    const auto file = folder.path / "config.toml";
    std::ofstream{file} << "log_level = 'warn'\n[[file_sync]]\nfrom = '~/a \"b\\'\nmode = '600'\n";
    const auto report = report_config(file, host, {{"BANGER_LOG_LEVEL", "debug"}, {"BANGER_VCPU", "x"}});
    EXPECT_EQ(origin_of(report, "log_level"), "\"debug\" from BANGER_LOG_LEVEL");
    EXPECT_THAT(report.problems, ::testing::ElementsAre(HasSubstr("BANGER_VCPU: must be")));
    EXPECT_EQ(origin_of(report, "vm_defaults.vcpu"), "2 from default");
    EXPECT_EQ(origin_of(report, "file_sync"),
              R"([{from = "~/a \"b\\", to = "/root/a \"b\\", mode = "0600"}] from )" + file.string() + ":2");
}

TEST(ConfigTest, WhatIsNoTomlNamesItsLine)
{
    EXPECT_THAT(config_refusal("log_level = \n"), HasSubstr("/home/u/config.toml:1: "));
    EXPECT_THAT(config_refusal("a = 1\n[vm_defaults\n"), HasSubstr("/home/u/config.toml:2: "));
    EXPECT_THAT(config_refusal("vcpu = 1\nvcpu = 2\n"), HasSubstr("config.toml:"));
    EXPECT_THAT(config_refusal(std::string_view{"\0\0\0", 3}), HasSubstr("config.toml:1"));
}

}  // namespace
}  // namespace banger::agent
