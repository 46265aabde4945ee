// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/initrd.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Member {
    unsigned mode;
    unsigned major;
    unsigned minor;
    std::string content;
};

/// newc, one archive after the other with zeros between, as Linux unpacks an initrd (init/initramfs.c).
std::map<std::string, Member> unpack_cpio(const test::FileBytes& bytes)
{
    std::map<std::string, Member> members;
    const std::string text{bytes.begin(), bytes.end()};
    std::size_t at = 0;
    const auto aligned = [](std::size_t offset) { return (offset + 3) / 4 * 4; };
    while (at < text.size()) {
        if (text[at] == '\0') {
            ++at;
            continue;
        }
        constexpr std::size_t header = 110;
        if (text.size() - at < header || text.compare(at, 6, "070701") != 0) {
            ADD_FAILURE() << "no header at " << at;
            break;
        }
        const auto field = [&](std::size_t index) {
            return std::stoul(text.substr(at + 6 + 8 * index, 8), nullptr, 16);
        };
        const auto name = text.substr(at + header, field(11) - 1);
        const auto data = aligned(at + header + field(11));
        if (name != "TRAILER!!!") {
            EXPECT_FALSE(members.contains(name)) << name;
            members[name] = {static_cast<unsigned>(field(1)), static_cast<unsigned>(field(9)),
                             static_cast<unsigned>(field(10)), text.substr(data, field(6))};
        }
        at = aligned(data + field(6));
    }
    return members;
}

class InitrdTest : public ::testing::Test {
protected:
    InitrdTest() { tree.add_usual(); }
    std::vector<std::string> plan()
    {
        tree.finish();
        std::vector<std::string> names;
        for (const auto& path : boot_modules(modules)) {
            names.push_back(path.filename().string());
        }
        return names;
    }
    std::string refusal()
    {
        try {
            plan();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData);
            return error.what();
        }
        return "it was taken";
    }

    test::TemporaryFolder folder;
    fs::path modules{folder.path / "6.1.0-x"};
    test::ModuleTree tree{modules};
};

TEST_F(InitrdTest, WhatAModuleNeedsIsLoadedBeforeItAndOnce)
{
    tree.add("drivers/net/virtio_net.ko", {"drivers/net/net_failover.ko", "net/core/failover.ko"});
    tree.add("drivers/net/net_failover.ko", {"net/core/failover.ko"});
    tree.add("net/core/failover.ko");
    tree.add("drivers/other/not_needed.ko");
    EXPECT_THAT(plan(),
                ElementsAre("virtio.ko", "virtio_ring.ko", "virtio_mmio.ko", "virtio_blk.ko.xz", "jbd2.ko",
                            "ext4.ko.zst", "virtio_console.ko", "failover.ko", "net_failover.ko", "virtio_net.ko"));
}

TEST_F(InitrdTest, WhatIsBuiltInIsLeftOutAndWhatOnlyHelpsMayBeMissing)
{
    tree.add_built_in("virtio_net");
    tree.add("drivers/char/hw_random/virtio_rng.ko");  // helps
    const auto names = plan();
    EXPECT_EQ(names.back(), "virtio_rng.ko");
    EXPECT_THAT(names, ::testing::Not(::testing::Contains(HasSubstr("virtio_net"))));
}

TEST_F(InitrdTest, AKernelWithoutAModuleThatMustBeThereIsRefusedByItsName)
{
    EXPECT_THAT(refusal(), HasSubstr("this kernel has no virtio_net"));
}

TEST_F(InitrdTest, AFolderThatIsNoModulesTreeIsRefused)
{
    EXPECT_THROW(boot_modules(folder.path / "nowhere"), Error);
    for (const auto& rubbish : {test::FileBytes{}, test::file_bytes("rubbish"), test::FileBytes(4096, 0xff)}) {
        for (const auto* name :
             {"modules.dep.bin", "modules.alias.bin", "modules.symbols.bin", "modules.builtin.bin"}) {
            test::write_file(folder.path / "damaged" / name, rubbish);
        }
        EXPECT_THROW(boot_modules(folder.path / "damaged"), Error);
    }
}

TEST_F(InitrdTest, TheKernelsPartHoldsTheModulesUnpackedAndTheirOrder)
{
    tree.add_built_in("virtio_net");
    tree.finish();
    const auto file = folder.path / "boot-modules.cpio";
    write_boot_modules(file, boot_modules(modules));
    const auto members = unpack_cpio(test::read_whole(file));
    EXPECT_EQ(members.at("modules/virtio_blk.ko").content, "module drivers/block/virtio_blk.ko.xz");
    EXPECT_EQ(members.at("modules/ext4.ko").content, "module fs/ext4/ext4.ko.zst");
    EXPECT_EQ(members.at("modules/virtio.ko").mode, 0100644U);
    EXPECT_EQ(members.at("etc/banger/modules").content,
              "/modules/virtio.ko\n/modules/virtio_ring.ko\n/modules/virtio_mmio.ko\n/modules/virtio_blk.ko\n"
              "/modules/jbd2.ko\n/modules/ext4.ko\n/modules/virtio_console.ko\n");
    EXPECT_EQ(members.at("modules").mode, 040755U);
    write_boot_modules(folder.path / "again", boot_modules(modules));
    EXPECT_TRUE(test::read_whole(file) == test::read_whole(folder.path / "again"));
}

TEST_F(InitrdTest, TheInitrdHoldsTheGuestProgramAndBehindItTheKernelsPart)
{
    tree.add_built_in("virtio_net");
    tree.finish();
    write_boot_modules(folder.path / "part", boot_modules(modules));
    const auto guest = std::string(100'001, 'g');
    test::write_file(folder.path / "banger-guest", test::file_bytes(guest));
    write_initrd(folder.path / "initrd", folder.path / "banger-guest", folder.path / "part");
    const auto members = unpack_cpio(test::read_whole(folder.path / "initrd"));
    EXPECT_EQ(members.at("init").mode, 0100755U);
    EXPECT_EQ(members.at("init").content, guest);
    const auto& console = members.at("dev/console");
    EXPECT_EQ(console.mode, 020600U);
    EXPECT_EQ(console.major, 5U);
    EXPECT_EQ(console.minor, 1U);
    for (const auto* mount_point : {"dev", "newroot", "proc", "run", "sys"}) {
        EXPECT_EQ(members.at(mount_point).mode, 040755U) << mount_point;
    }
    EXPECT_TRUE(members.contains("etc/banger/modules"));
    EXPECT_TRUE(members.contains("modules/virtio_mmio.ko"));
}

TEST_F(InitrdTest, AModuleThatIsDamagedOrGoneIsAnErrorThatNamesIt)
{
    tree.add_built_in("virtio_net");
    tree.finish();
    const auto list = boot_modules(modules);
    const auto error_of = [&] {
        try {
            write_boot_modules(folder.path / "part", list);
        } catch (const Error& error) {
            return error;
        }
        return Error{ErrorCode::Internal, "it was taken"};
    };
    test::write_file(modules / "kernel/drivers/block/virtio_blk.ko.xz", test::file_bytes("rubbish"));
    EXPECT_EQ(error_of().code(), ErrorCode::CorruptData);
    EXPECT_THAT(error_of().what(), HasSubstr("virtio_blk.ko.xz"));
    fs::remove(modules / "kernel/drivers/block/virtio_blk.ko.xz");
    EXPECT_EQ(error_of().code(), ErrorCode::NotFound);
    EXPECT_THROW(write_initrd(folder.path / "initrd", folder.path / "gone", folder.path / "part"), Error);
    EXPECT_THROW(write_initrd(folder.path / "no/folder/initrd", folder.path / "part", folder.path / "part"), Error);
}

}  // namespace
}  // namespace banger::agent
