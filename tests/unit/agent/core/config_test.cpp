// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

constexpr HostSize host{8, std::uint64_t{32} << 30U};

std::string config_refusal(std::string_view text)
{
    try {
        parse_config(text, "/home/u/config.toml", host);
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
    std::ofstream{file} << "log_level = 'warn'\n[vm_defaults]\nvcpu = 3\ndisk_size = '20G'\nnat = true\n";
    const auto report = report_config(file, host);
    EXPECT_THAT(report.problems, ::testing::IsEmpty());
    EXPECT_EQ(report.values.size(), 11U);
    EXPECT_EQ(origin_of(report, "log_level"), "\"warn\" from " + file.string() + ":1");
    EXPECT_EQ(origin_of(report, "vm_defaults.vcpu"), "3 from " + file.string() + ":3");
    EXPECT_EQ(origin_of(report, "vm_defaults.nat"), "true from " + file.string() + ":5");
    EXPECT_EQ(origin_of(report, "vm_defaults.memory_mib"), "4096 from default");
    EXPECT_EQ(report_config(folder.path / "none", host).values.size(), 11U);
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

TEST(ConfigTest, WhatIsNoTomlNamesItsLine)
{
    EXPECT_THAT(config_refusal("log_level = \n"), HasSubstr("/home/u/config.toml:1: "));
    EXPECT_THAT(config_refusal("a = 1\n[vm_defaults\n"), HasSubstr("/home/u/config.toml:2: "));
    EXPECT_THAT(config_refusal("vcpu = 1\nvcpu = 2\n"), HasSubstr("config.toml:"));
    EXPECT_THAT(config_refusal(std::string_view{"\0\0\0", 3}), HasSubstr("config.toml:1"));
}

}  // namespace
}  // namespace banger::agent
