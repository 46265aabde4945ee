// SPDX-License-Identifier: GPL-2.0-or-later
// Kernels of files; Debian's own are made in tests/host.
#include "agent/system/image/debian_artifacts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/system/artifact_catalog.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// What of an initrd there is that is none yet.
std::vector<fs::path> unfinished(const fs::path& kernel)
{
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator{kernel}) {
        const auto name = entry.path().filename().string();
        if (name.starts_with("initrd.new") || name.starts_with("initrd.own")) {
            found.push_back(entry.path());
        }
    }
    return found;
}

class DebianArtifactsTest : public ::testing::Test {
protected:
    DebianArtifactsTest()
    {
        test::write_file(guest, test::file_bytes("the guest program"));
        test::write_file(folder.path / "vmlinuz", test::small_elf_saying("Linux version 6.1.0-x (x) #1"));
        tree.add_usual();
        tree.add_built_in("virtio_net");
        tree.finish();
    }
    KernelRecipe recipe() const
    {
        return {.name = "mine", .suite = "", .vmlinuz = folder.path / "vmlinuz", .modules = modules};
    }
    std::optional<Error> import(const fs::path& draft)
    {
        try {
            artifacts.import_kernel(recipe(), draft, progress);
            return std::nullopt;
        } catch (const Error& error) {
            return error;
        }
    }

    test::TemporaryFolder folder;
    fs::path guest{folder.path / "banger-guest"};
    fs::path modules{folder.path / "6.1.0-x"};
    test::ModuleTree tree{modules};
    std::vector<std::string> stages;
    MakingProgress progress{[this](const std::string& stage) { stages.push_back(stage); }, {}};
    DebianArtifacts artifacts{folder.path / "logs", guest};
};

TEST_F(DebianArtifactsTest, AnImportedKernelIsWholeSealedAndTheSameEachTime)
{
    ArtifactCatalog catalog{folder.path / "kernels", "kernel.json"};
    const auto draft = catalog.draft("mine");
    const auto problem = import(draft);
    if (problem && problem->code() == ErrorCode::HostLacks) {
        GTEST_SKIP() << problem->what();
    }
    ASSERT_FALSE(problem) << problem->what();
    EXPECT_FALSE(stages.empty());
    EXPECT_FALSE(fs::exists(draft / "scratch"));
    for (const auto& entry : fs::directory_iterator{draft}) {
        if (entry.path().filename() == ".lock") {
            continue;  // until it is taken in
        }
        struct stat status {};
        ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0444U) << entry.path();
    }
    const auto made = catalog.adopt(draft, [](const Digest&) { return false; });
    EXPECT_EQ(made.name, "mine");
    EXPECT_EQ(made.version, "6.1.0-x");
    EXPECT_FALSE(fs::exists(made.folder / ".lock"));
    for (const auto* file : {artifact_file::kernel, artifact_file::initrd, artifact_file::modules}) {
        EXPECT_TRUE(fs::is_regular_file(made.folder / file)) << file;
    }
    EXPECT_NO_THROW(catalog.check(made));
    fs::permissions(made.folder / artifact_file::modules, fs::perms{0644});
    fs::resize_file(made.folder / artifact_file::modules, 1000);
    try {
        catalog.check(made);
        FAIL() << "it was changed";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        EXPECT_THAT(error.what(), HasSubstr("the kernel mine is not as it was taken in"));
        EXPECT_THAT(error.what(), HasSubstr("banger kernel pull --force --name mine"));
    }
}

TEST_F(DebianArtifactsTest, AnImportThatFailsLeavesNoDraft)
{
    const auto draft = folder.path / "kernels/.draft";
    fs::remove(modules / "kernel/drivers/block/virtio_blk.ko.xz");
    ASSERT_TRUE(import(draft));
    EXPECT_FALSE(fs::exists(draft));
    test::write_file(folder.path / "vmlinuz", test::file_bytes("no kernel"));
    EXPECT_EQ(import(draft)->code(), ErrorCode::CorruptData);
    EXPECT_FALSE(fs::exists(draft));
}

TEST_F(DebianArtifactsTest, WithoutAGuestProgramNoKernelIsMade)
{
    DebianArtifacts without{folder.path / "logs", {}};
    try {
        without.import_kernel(recipe(), folder.path / "draft", progress);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        EXPECT_THAT(error.what(), HasSubstr("banger-guest"));
    }
}

TEST_F(DebianArtifactsTest, AnInitrdIsMadeAnewForAnotherGuestProgramOnly)
{
    const auto kernel = folder.path / "kernel";
    test::write_file(kernel / "boot-modules.cpio", test::file_bytes("the kernel's part"));
    artifacts.refresh_initrd(kernel);
    const auto first = test::read_whole(kernel / "initrd");
    const std::string text{first.begin(), first.end()};
    EXPECT_THAT(text, HasSubstr("the guest program"));
    EXPECT_THAT(text, ::testing::EndsWith("the kernel's part"));
    test::write_file(kernel / "initrd", test::file_bytes("as it was"));
    artifacts.refresh_initrd(kernel);
    EXPECT_EQ(test::read_whole(kernel / "initrd"), test::file_bytes("as it was"));
    test::write_file(guest, test::file_bytes("a newer program"));
    artifacts.refresh_initrd(kernel);
    EXPECT_NE(test::read_whole(kernel / "initrd"), test::file_bytes("as it was"));
    fs::remove(kernel / "initrd");
    artifacts.refresh_initrd(kernel);
    EXPECT_TRUE(fs::exists(kernel / "initrd"));
}

TEST_F(DebianArtifactsTest, ARefreshThatFailsKeepsTheInitrdThatBoots)
{
    const auto kernel = folder.path / "kernel";
    test::write_file(kernel / "boot-modules.cpio", test::file_bytes("part"));
    artifacts.refresh_initrd(kernel);
    const auto before = test::read_whole(kernel / "initrd");
    test::write_file(guest, test::file_bytes("a newer program"));
    fs::remove(kernel / "boot-modules.cpio");
    EXPECT_THROW(artifacts.refresh_initrd(kernel), Error);
    EXPECT_EQ(test::read_whole(kernel / "initrd"), before);
    EXPECT_THAT(unfinished(kernel), ::testing::IsEmpty());
}

TEST_F(DebianArtifactsTest, OfSeveralThatRefreshAnInitrdAtOnceTheLastOneMakesItWhole)
{
    const auto kernel = folder.path / "kernel";
    test::write_file(kernel / "boot-modules.cpio", test::file_bytes("the kernel's part"));
    test::write_file(guest, test::FileBytes(500'000, 'g'));
    for (const bool has_first : {false, true}) {
        if (has_first) {
            test::write_file(kernel / "first.cpio", test::file_bytes("the user's own"));
            fs::remove(kernel / "initrd.guest");
        }
        artifacts.refresh_initrd(kernel);
        const auto whole = test::read_whole(kernel / "initrd");
        for (int round = 0; round < 50; ++round) {
            fs::remove(kernel / "initrd.guest");
            const auto refresh = [this, &kernel] {
                try {
                    artifacts.refresh_initrd(kernel);
                } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the other one was faster
                }
            };
            std::thread other{refresh};
            refresh();
            other.join();
            ASSERT_TRUE(test::read_whole(kernel / "initrd") == whole) << round;
            ASSERT_THAT(unfinished(kernel), ::testing::IsEmpty());
        }
    }
}

TEST_F(DebianArtifactsTest, WhatAKilledRefreshHasLeftGoesWithTheNext)
{
    const auto kernel = folder.path / "kernel";
    test::write_file(kernel / "boot-modules.cpio", test::file_bytes("part"));
    for (const auto* left : {"initrd.new", "initrd.new-1", "initrd.own-1"}) {
        test::write_file(kernel / left, test::file_bytes("half"));
    }
    artifacts.refresh_initrd(kernel);
    EXPECT_THAT(unfinished(kernel), ::testing::IsEmpty());
}

TEST_F(DebianArtifactsTest, ASuiteOrAPackageThatIsNoneIsRefusedBeforeAnythingIsMade)
{
    ImageRecipe image{.name = "x", .suite = "sid", .size = gib, .packages = {}, .packages_file = {}};
    const auto code_of = [&] {
        try {
            artifacts.build_image(image, folder.path / "draft", progress);
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    };
    EXPECT_EQ(code_of(), ErrorCode::InvalidArgument);
    image.suite = "bookworm";
    image.packages = {"--option"};
    EXPECT_EQ(code_of(), ErrorCode::InvalidArgument);
    image.packages.clear();
    image.packages_file = folder.path / "gone";
    EXPECT_EQ(code_of(), ErrorCode::NotFound);
    image.packages_file.clear();
    image.more_packages_files = {folder.path / "gone"};
    EXPECT_EQ(code_of(), ErrorCode::NotFound);
    image.more_packages_files.clear();
    image.customize_script = folder.path / "gone";
    EXPECT_EQ(code_of(), ErrorCode::NotFound);
    EXPECT_FALSE(fs::exists(folder.path / "draft"));
}

TEST_F(DebianArtifactsTest, AKernelWithTheModulesOfAnotherVersionIsRefused)
{
    test::write_file(folder.path / "vmlinuz", test::small_elf_saying("Linux version 6.1.0-y (x) #1"));
    const auto problem = import(folder.path / "draft");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->code(), ErrorCode::CorruptData);
    EXPECT_THAT(problem->what(), HasSubstr("is Linux 6.1.0-y, and"));
    EXPECT_THAT(problem->what(), HasSubstr("the modules of 6.1.0-x"));
    EXPECT_FALSE(fs::exists(folder.path / "draft"));
}

TEST_F(DebianArtifactsTest, AnotherProgramThanAKernelIsRefusedWithModulesToo)
{
    test::write_file(folder.path / "vmlinuz", test::small_elf_saying("usage: ls"));
    const auto problem = import(folder.path / "draft");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->code(), ErrorCode::CorruptData);
    EXPECT_THAT(problem->what(), HasSubstr("is it a Linux kernel?"));
    EXPECT_FALSE(fs::exists(folder.path / "draft"));
}

TEST_F(DebianArtifactsTest, AKernelWithoutModulesHasAllBuiltInOrIsRefusedByName)
{
    auto wanted = recipe();
    wanted.modules.clear();
    const auto outcome = [&]() -> std::string {
        try {
            artifacts.import_kernel(wanted, folder.path / "draft", progress);
            return "";
        } catch (const Error& error) {
            return error.code() == ErrorCode::CorruptData || error.code() == ErrorCode::HostLacks ? error.what()
                                                                                                  : "another code";
        }
    };
    using namespace std::string_literals;
    const auto banner = "Linux version 6.9.0 (x) #1\0"s;
    test::write_file(folder.path / "vmlinuz", test::small_elf_saying(banner + "virtio-mmio\0ext4\0virtio_net\0"s));
    EXPECT_THAT(outcome(), HasSubstr("it has not built in virtio_blk, virtio_console"));
    EXPECT_THAT(outcome(), HasSubstr("--modules /lib/modules/6.9.0"));
    const auto all = "virtio-mmio\0virtio_blk\0ext4\0virtio_console\0virtio_net\0"s;
    test::write_file(folder.path / "vmlinuz", test::small_elf_saying(all));
    EXPECT_THAT(outcome(), HasSubstr("does not say which version"));
    test::write_file(folder.path / "vmlinuz", test::small_elf_saying(banner + all));
    const auto made = outcome();
    if (made.find("namespace") != std::string::npos) {
        GTEST_SKIP() << made;
    }
    EXPECT_EQ(made, "");
    std::ifstream description{folder.path / "draft/kernel.json"};
    EXPECT_EQ(nlohmann::json::parse(description)["version"], "6.9.0");
}

TEST_F(DebianArtifactsTest, AnInitrdOfTheUsersComesFirstAndStaysAtEachRefresh)
{
    const auto kernel = folder.path / "kernel";
    test::write_file(kernel / "boot-modules.cpio", test::file_bytes("the kernel's part"));
    test::write_file(kernel / "first.cpio", test::file_bytes("070701 the user's"));
    artifacts.refresh_initrd(kernel);
    const auto bytes = test::read_whole(kernel / "initrd");
    const std::string text{bytes.begin(), bytes.end()};
    EXPECT_TRUE(text.starts_with("070701 the user's"));
    const auto own = text.find("070701", 6);
    ASSERT_NE(own, std::string::npos);
    EXPECT_EQ(own % 4, 0U) << "where the kernel looks for a cpio";
    EXPECT_THAT(text, HasSubstr("the guest program"));
    EXPECT_THAT(unfinished(kernel), ::testing::IsEmpty());
}

TEST_F(DebianArtifactsTest, AnInitrdThatIsAPipeIsRefusedAndNotWaitedFor)
{
    auto wanted = recipe();
    wanted.initrd = folder.path / "pipe";
    ASSERT_EQ(::mkfifo(wanted.initrd.c_str(), 0600), 0);
    EXPECT_THROW(artifacts.import_kernel(wanted, folder.path / "draft", progress), Error);
    EXPECT_FALSE(fs::exists(folder.path / "draft"));
}

class DiskImagesTest : public DebianArtifactsTest {
protected:
    /// A small ext4 with one file; by mke2fs.
    fs::path make_disk(const std::string& name)
    {
        test::write_file(folder.path / "tree/etc/hello", test::file_bytes("hello\n"));
        const auto disk = folder.path / name;
        const auto made = run_program({.argv = {find_program("mke2fs").string(), "-q", "-F", "-t", "ext4", "-d",
                                                (folder.path / "tree").string(), disk.string(), "16M"}});
        EXPECT_TRUE(made.ok()) << made.tail;
        return disk;
    }
    std::optional<Error> take(const DiskSource& source,
                              void (DebianArtifacts::*way)(const DiskSource&, const fs::path&, const MakingProgress&))
    {
        try {
            (artifacts.*way)(source, folder.path / "draft", progress);
            return std::nullopt;
        } catch (const Error& error) {
            return error;
        }
    }
    static std::string hello_in(const fs::path& disk)
    {
        std::string said;
        run_program({.argv = {find_program("debugfs").string(), "-R", "cat /etc/hello", disk.string()},
                     .on_line = [&](std::string_view line) { said += line; }});
        return said;
    }
};

TEST_F(DiskImagesTest, AFileIsCopiedAsItIsAndKnownAgain)
{
    const DiskSource source{.name = "mine", .origin = "file disk", .disk = make_disk("disk")};
    ASSERT_FALSE(take(source, &DebianArtifacts::take_file));
    const auto image = folder.path / "draft";
    EXPECT_EQ(test::read_whole(image / "rootfs.ext4"), test::read_whole(source.disk));
    std::ifstream stream{image / "image.json"};
    const auto json = nlohmann::json::parse(stream);
    EXPECT_EQ(json["name"], "mine");
    EXPECT_EQ(json["size"], 16U << 20U);
    EXPECT_TRUE(artifacts.is_copy_of(image, source));
    EXPECT_TRUE(artifacts.is_whole(image, Digest::parse(json["digest"].get<std::string>()), progress));
    fs::last_write_time(source.disk, fs::file_time_type::clock::now());
    EXPECT_FALSE(artifacts.is_copy_of(image, source)) << "it was written to meanwhile";
    fs::permissions(image / "rootfs.ext4", fs::perms{0644});
    std::fstream{image / "rootfs.ext4", std::ios::in | std::ios::out | std::ios::binary}.seekp(1'000'000) << "x";
    EXPECT_FALSE(artifacts.is_whole(image, Digest::parse(json["digest"].get<std::string>()), progress));
}

TEST_F(DiskImagesTest, WhatIsNoCleanFileSystemIsRefusedAndLeavesNothing)
{
    DiskSource source{.name = "mine", .origin = "file", .disk = folder.path / "gone"};
    EXPECT_EQ(take(source, &DebianArtifacts::take_file)->code(), ErrorCode::NotFound);
    source.disk = folder.path;
    EXPECT_EQ(take(source, &DebianArtifacts::take_file)->code(), ErrorCode::InvalidArgument);
    source.disk = make_disk("disk");
    const auto marked =
        run_program({.argv = {find_program("debugfs").string(), "-w", "-R", "ssv state 0", source.disk.string()}});
    ASSERT_TRUE(marked.ok());
    const auto unclean = take(source, &DebianArtifacts::take_file);
    ASSERT_TRUE(unclean);
    EXPECT_EQ(unclean->code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(unclean->what(), HasSubstr("e2fsck -f -p " + source.disk.string()));
    EXPECT_FALSE(fs::exists(folder.path / "draft"));
}

TEST_F(DiskImagesTest, ADiskOfAVmIsCopiedWithoutWhatWasDeletedAndMendedFirstWhereItMust)
{
    const DiskSource source{.name = "mine", .origin = "VM x", .disk = make_disk("root.img")};
    ASSERT_TRUE(
        run_program({.argv = {find_program("debugfs").string(), "-w", "-R", "ssv state 0", source.disk.string()}})
            .ok());
    const auto problem = take(source, &DebianArtifacts::take_disk);
    ASSERT_FALSE(problem) << problem->what();
    const auto disk = folder.path / "draft/rootfs.ext4";
    EXPECT_THAT(hello_in(disk), HasSubstr("hello"));
    EXPECT_EQ(fs::file_size(disk), 16U << 20U);
    EXPECT_TRUE(run_program({.argv = {find_program("e2fsck").string(), "-fn", disk.string()}}).ok());
}

TEST_F(DiskImagesTest, WhatReadsADiskOfAVmSeesThatDiskAndTheImageAlone)
{
    const DiskSource source{.name = "mine", .origin = "VM x", .disk = make_disk("root.img")};
    ASSERT_TRUE(
        run_program({.argv = {find_program("debugfs").string(), "-w", "-R", "ssv state 0", source.disk.string()}})
            .ok());
    std::vector<VmmNeeds> told;
    DebianArtifacts confining{folder.path / "logs", guest, [&told](const VmmNeeds& needs) {
                                  told.push_back(needs);
                                  return std::vector<std::string>{find_program("env").string()};
                              }};
    confining.take_disk(source, folder.path / "draft", progress);
    ASSERT_EQ(told.size(), 2U) << "e2fsck and e2image";
    EXPECT_EQ(told[0].write, std::vector<std::string>{"root.img"});
    EXPECT_TRUE(told[0].read.empty());
    EXPECT_EQ(told[1].write, std::vector<std::string>{"rootfs.ext4"});
    EXPECT_EQ(told[1].read, std::vector<std::string>{".source"});
    EXPECT_FALSE(fs::is_symlink(folder.path / "draft/.source")) << "nothing of the way stays";
    EXPECT_THAT(hello_in(folder.path / "draft/rootfs.ext4"), HasSubstr("hello"));
}

TEST_F(DiskImagesTest, AnImageInheritsWhatTheOneBeforeSaidOfItsPrograms)
{
    test::write_file(folder.path / "parent/image.json",
                     test::file_bytes(R"({"name": "app", "config": {"Entrypoint": ["/app"]}, "reference": "x"})"));
    const DiskSource source{
        .name = "mine", .origin = "VM x", .disk = make_disk("root.img"), .parent = folder.path / "parent"};
    ASSERT_FALSE(take(source, &DebianArtifacts::take_disk));
    std::ifstream stream{folder.path / "draft/image.json"};
    const auto json = nlohmann::json::parse(stream);
    EXPECT_EQ(json["config"]["Entrypoint"][0], "/app");
    EXPECT_FALSE(json.contains("reference"));
}

/// The disk that fills up is where images are; the file comes from elsewhere.
TEST_F(DiskImagesTest, AFullDiskIsSaidAndNothingOfTheImageIsLeft)
{
    const std::string noise(8'000'000, 'n');
    test::write_file(folder.path / "tree/noise", test::file_bytes(noise));
    const auto disk = make_disk("disk");
    const auto code = test::on_small_disk(std::size_t{4} << 20U, [&](const fs::path& small) {
        const DiskSource source{.name = "mine", .origin = "file", .disk = disk};
        DebianArtifacts there{small / "logs", guest};
        for (const auto way : {&DebianArtifacts::take_file, &DebianArtifacts::take_disk}) {
            try {
                (there.*way)(source, small / "draft", {[](const std::string&) {}, {}});
                return 1;
            } catch (const Error& error) {
                if (error.code() != ErrorCode::NoSpace || fs::exists(small / "draft")) {
                    return 2;
                }
            }
        }
        return 0;
    });
    if (!code) {
        GTEST_SKIP() << "this user may have no mount namespace";
    }
    EXPECT_EQ(*code, 0);
}

}  // namespace
}  // namespace banger::agent
