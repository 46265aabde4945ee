// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/bus_rows.hpp"

#include <gtest/gtest.h>

namespace banger::cli::tui {
namespace {

TEST(BusRows, AListedVmAndItsPropertiesAreTheSameRow)
{
    const BusVm listed{"aaaabbbbcccc",
                       "web",
                       "running",
                       "debian",
                       2U,
                       512U,
                       std::uint64_t{1} << 30U,
                       "10.1.2.3",
                       std::int64_t{99},
                       "qemu-kvm",
                       "",
                       "file",
                       "tap",
                       true,
                       "nearly full"};
    const VariantMap details{{"image", sdbus::Variant{std::string{"debian"}}},
                             {"vcpus", sdbus::Variant{2U}},
                             {"memory_mib", sdbus::Variant{512U}},
                             {"disk_bytes", sdbus::Variant{std::uint64_t{1} << 30U}},
                             {"address", sdbus::Variant{std::string{"10.1.2.3"}}},
                             {"created", sdbus::Variant{std::int64_t{99}}},
                             {"vmm", sdbus::Variant{std::string{"qemu-kvm"}}},
                             {"reason", sdbus::Variant{std::string{""}}},
                             {"storage", sdbus::Variant{std::string{"file"}}},
                             {"network", sdbus::Variant{std::string{"tap"}}},
                             {"nat", sdbus::Variant{true}},
                             {"warning", sdbus::Variant{std::string{"nearly full"}}}};
    const VariantMap properties{{"Id", sdbus::Variant{std::string{"aaaabbbbcccc"}}},
                                {"Name", sdbus::Variant{std::string{"web"}}},
                                {"State", sdbus::Variant{std::string{"running"}}},
                                {"Ready", sdbus::Variant{true}},
                                {"Details", sdbus::Variant{details}}};
    const auto row = to_row(listed);
    const auto other = vm_of(properties);
    const auto fields = [](const VmRow& vm) {
        return std::tie(vm.id, vm.name, vm.state, vm.image, vm.vcpus, vm.memory_mib, vm.disk_bytes, vm.address,
                        vm.created, vm.vmm, vm.reason, vm.storage, vm.network, vm.nat, vm.warning);
    };
    EXPECT_EQ(fields(row), fields(other));
    EXPECT_EQ(row.warning, "nearly full");
    const auto facts = facts_of(properties);
    EXPECT_NE(std::find(facts.begin(), facts.end(), std::pair<std::string, std::string>{"disk_bytes", "1G"}),
              facts.end());
}

TEST(BusRows, WhatIsMissingOrOfAnotherTypeIsLeftOut)
{
    EXPECT_EQ(vm_of({}).name, "");
    EXPECT_TRUE(facts_of({}).empty());
    const auto vm = vm_of({{"Name", sdbus::Variant{7U}}, {"Details", sdbus::Variant{std::string{"none"}}}});
    EXPECT_EQ(vm.name, "");
    EXPECT_EQ(vm.vcpus, 0U);
}

TEST(BusRows, AnOperationTakesWhatHasChanged)
{
    OperationRow operation{.path = "/x", .kind = "start", .stage = "booting"};
    put_changes(operation, {{"Fraction", sdbus::Variant{0.25}}});
    EXPECT_EQ(operation.stage, "booting");
    EXPECT_EQ(operation.fraction, 0.25);
    put_changes(
        operation,
        {{"State", sdbus::Variant{std::string{"failed"}}},
         {"Error", sdbus::Variant{sdbus::Struct<std::string, std::string>{"dev.banger.Error.Failed", "it broke"}}}});
    EXPECT_EQ(operation.state, "failed");
    EXPECT_EQ(operation.error, "it broke");
}

TEST(BusRows, PathsTellWhatTheyAre)
{
    EXPECT_EQ(id_of("/dev/banger/Agent1/vm/aaaabbbbcccc", "vm"), "aaaabbbbcccc");
    EXPECT_EQ(id_of("/dev/banger/Agent1/image/web", "vm"), "");
    EXPECT_EQ(id_of("/dev/banger/Agent1", "vm"), "");
}

TEST(BusRows, ChildrenAreReadFromAnIntrospection)
{
    const std::vector<std::string> both{"1", "12"};
    EXPECT_EQ(children_of("<node>\n <interface name=\"x\"/>\n <node name=\"1\"/>\n <node name=\"12\"/>\n</node>"),
              both);
    EXPECT_TRUE(children_of("").empty());
    EXPECT_TRUE(children_of("<node name=\"cut").empty());
}

}  // namespace
}  // namespace banger::cli::tui
