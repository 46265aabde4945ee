// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/kernel_parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class KernelPartsTest : public ::testing::Test {
protected:
    KernelRecipe recipe() const { return {.name = "mine", .suite = "", .vmlinuz = vmlinuz, .modules = modules}; }
    static Error refusal(const std::function<void()>& call)
    {
        try {
            call();
        } catch (const Error& error) {
            return error;
        }
        return Error{ErrorCode::Internal, "it was taken"};
    }

    test::TemporaryFolder folder;
    fs::path vmlinuz{folder.path / "vmlinuz"};
    fs::path modules{folder.path / "modules/6.1.0-x"};
};

TEST_F(KernelPartsTest, AKernelOfTheUsersIsNamedAfterItsModulesFolder)
{
    test::write_file(vmlinuz, test::small_elf());
    EXPECT_THAT(refusal([&] { local_kernel(recipe()); }).what(), HasSubstr("has no modules.dep"));
    test::write_file(modules / "modules.dep", {});
    auto with_slash = recipe();
    with_slash.modules = modules / "";
    for (const auto& wanted : {recipe(), with_slash}) {
        const auto kernel = local_kernel(wanted);
        EXPECT_EQ(kernel.version, "6.1.0-x");
        EXPECT_EQ(kernel.modules, modules);
        EXPECT_EQ(kernel.origin, "imported");
    }
    fs::remove(vmlinuz);
    EXPECT_EQ(refusal([&] { local_kernel(recipe()); }).code(), ErrorCode::NotFound);
    fs::create_directory(vmlinuz);
    EXPECT_EQ(refusal([&] { local_kernel(recipe()); }).code(), ErrorCode::NotFound);
}

TEST_F(KernelPartsTest, TheKernelIsUnpackedOutOfItsImage)
{
    const auto elf = test::small_elf(100'000);
    int number = 0;
    for (const auto& image :
         {elf, test::bz_image(test::with_size(test::packed(elf, archive_write_add_filter_xz), elf.size())),
          test::bz_image(test::with_size(test::packed(elf, archive_write_add_filter_zstd), elf.size())),
          test::bz_image(test::with_size(test::packed(elf, archive_write_add_filter_lz4), elf.size())),
          test::bz_image(test::packed(elf, archive_write_add_filter_gzip))}) {
        test::write_file(vmlinuz, image);
        const auto vmlinux = folder.path / ("vmlinux" + std::to_string(number++));
        write_vmlinux(vmlinuz, vmlinux);
        EXPECT_TRUE(test::read_whole(vmlinux) == elf);
    }
}

TEST_F(KernelPartsTest, WhatIsNoKernelIsRefusedAndNothingIsWritten)
{
    const auto elf = test::small_elf(1000);
    const auto whole = test::with_size(test::packed(elf, archive_write_add_filter_xz), elf.size());
    auto cut = test::bz_image(whole);
    cut.resize(cut.size() - 10);
    for (const auto& image :
         {test::FileBytes{}, test::file_bytes("text"), cut, test::bz_image(test::file_bytes("not packed")),
          test::bz_image(test::with_size(test::packed(test::file_bytes("text"), archive_write_add_filter_xz), 4)),
          test::bz_image(test::with_size(test::packed(elf, archive_write_add_filter_xz), elf.size() + 1)),
          test::bz_image(elf), test::bz_image({1, 2, 3})}) {
        test::write_file(vmlinuz, image);
        EXPECT_EQ(refusal([&] { write_vmlinux(vmlinuz, folder.path / "vmlinux"); }).code(), ErrorCode::CorruptData);
        EXPECT_FALSE(fs::exists(folder.path / "vmlinux"));
    }
}

TEST_F(KernelPartsTest, TheModulesDiskHoldsEveryModuleHoweverManyThereAre)
{
    constexpr int many = 1'500;
    for (int i = 0; i < many; ++i) {
        test::write_file(modules / "kernel" / ("a-module-with-a-rather-long-name-" + std::to_string(i) + ".ko"),
                         test::file_bytes("module " + std::to_string(i) + "\n"));
    }
    test::write_file(modules / "modules.dep", test::FileBytes(1'000'000, 'x'));
    const KernelFiles kernel{.vmlinuz = vmlinuz, .modules = modules, .version = "6.1.0-x", .origin = "imported"};
    const auto disk = folder.path / "modules.ext4";
    try {
        write_modules_disk(kernel, disk, folder.path / "log", {[](const std::string&) {}, {}});
    } catch (const Error& error) {
        if (error.code() == ErrorCode::HostLacks) {
            GTEST_SKIP() << error.what();
        }
        throw;
    }
    std::string said;
    run_program({.argv = {find_program("debugfs").string(), "-R",
                          "cat /kernel/a-module-with-a-rather-long-name-1499.ko", disk.string()},
                 .on_line = [&](std::string_view line) { said += line; }});
    EXPECT_THAT(said, HasSubstr("module 1499"));
    EXPECT_TRUE(run_program({.argv = {find_program("e2fsck").string(), "-fn", disk.string()}}).ok());
}

}  // namespace
}  // namespace banger::agent
