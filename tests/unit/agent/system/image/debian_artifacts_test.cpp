// SPDX-License-Identifier: GPL-2.0-or-later
// Kernels of files; Debian's own are made in tests/host.
#include "agent/system/image/debian_artifacts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "agent/system/artifact_catalog.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DebianArtifactsTest : public ::testing::Test {
protected:
    DebianArtifactsTest()
    {
        test::write_file(guest, test::file_bytes("the guest program"));
        test::write_file(folder.path / "vmlinuz", test::small_elf(5000));
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
        struct stat status {};
        ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0444U) << entry.path();
    }
    const auto made = catalog.adopt(draft, [](const Digest&) { return false; });
    EXPECT_EQ(made.name, "mine");
    EXPECT_EQ(made.version, "6.1.0-x");
    for (const auto* file : {artifact_file::kernel, artifact_file::initrd, artifact_file::modules}) {
        EXPECT_TRUE(fs::is_regular_file(made.folder / file)) << file;
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
    EXPECT_FALSE(fs::exists(kernel / "initrd.new"));
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
    EXPECT_FALSE(fs::exists(folder.path / "draft"));
}

}  // namespace
}  // namespace banger::agent
