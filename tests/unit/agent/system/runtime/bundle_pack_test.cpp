// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_pack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/system/disks.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/sha256.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/bundle_maker.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

using test::BundleMaker;
using test::content_of;
using test::no_progress;
using ::testing::HasSubstr;

class BundlePackTest : public ::testing::Test {
protected:
    test::TemporaryFolder folder;
    BundleMaker maker{folder.path / "parts"};
    std::filesystem::path archive = folder.path / "dist/bundle.tar.gz";
};

TEST_F(BundlePackTest, TheSameContentIsTheSameArchive)
{
    const auto first = maker.make(archive);
    ASSERT_TRUE(first.sha256);
    EXPECT_EQ(sha256_of_file(archive, {}), *first.sha256);
    // Other times, other holes, another owner's umask: the same bytes.
    const auto disk = maker.folder() / "rootfs.ext4";
    const auto bytes = content_of(disk);
    std::filesystem::remove(disk);
    maker.write("rootfs.ext4", bytes);
    std::filesystem::permissions(disk, std::filesystem::perms::owner_read);
    const auto second = maker.make(folder.path / "other.tar.gz");
    EXPECT_EQ(*second.sha256, *first.sha256);
    EXPECT_EQ(content_of(folder.path / "other.tar.gz"), content_of(archive));
}

TEST_F(BundlePackTest, TheTimeOfTheFilesIsTheOneThatWasAskedFor)
{
    auto recipe = maker.recipe(archive);
    const auto first = maker.make(archive);
    recipe.modified = 1'000'000'000;
    BundleHome home{{.own = [] { return std::filesystem::path{"/nonexistent"}; },
                     .given = [] { return std::vector<std::filesystem::path>{}; },
                     .stamps = folder.path / "stamps.json"}};
    EXPECT_NE(*home.package(recipe, no_progress()).sha256, *first.sha256);
    EXPECT_NE(first.contents.find("rootfs"), nullptr);
}

TEST_F(BundlePackTest, GnuTarUnpacksItWithHolesAndModes)
{
    maker.make(archive);
    const auto place = folder.path / "unpacked";
    std::filesystem::create_directory(place);
    const auto done =
        run_program({.argv = {find_program("tar").string(), "-xzf", archive.string(), "-C", place.string()}});
    ASSERT_TRUE(done.ok()) << done.tail;
    for (const auto* name : {"firecracker", "vmlinux", "initrd", "modules.ext4", "rootfs.ext4"}) {
        EXPECT_EQ(content_of(place / name), content_of(maker.folder() / name)) << name;
    }
    struct stat status {};
    ASSERT_EQ(::stat((place / "rootfs.ext4").c_str(), &status), 0);
    EXPECT_LT(allocated_bytes(place / "rootfs.ext4"), 400'000U) << "holes stay holes";
    ASSERT_EQ(::stat((place / "firecracker").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0100U, 0100U);
    const auto listed =
        run_program({.argv = {find_program("tar").string(), "--numeric-owner", "-tvzf", archive.string()}});
    EXPECT_THAT(listed.tail, HasSubstr("-rwxr-xr-x 0/0"));
    EXPECT_THAT(listed.tail, HasSubstr("1970-01-01"));
}

TEST_F(BundlePackTest, ASparseDiskCostsWhatIsInIt)
{
    const auto disk = maker.folder() / "rootfs.ext4";
    std::filesystem::resize_file(disk, std::uint64_t{1} << 27U);
    const auto packed = maker.make(archive);
    EXPECT_LT(std::filesystem::file_size(archive), 20'000U);
    const auto* part = packed.contents.find("rootfs");
    ASSERT_NE(part, nullptr);
    EXPECT_EQ(part->size, std::uint64_t{1} << 27U);
    EXPECT_EQ(*part->digest, content_digest(disk, {}));
    EXPECT_EQ(part->sha256, sha256_of_file(disk, {}));
}

TEST_F(BundlePackTest, AChangedImageIsNotPackaged)
{
    auto recipe = maker.recipe(archive);
    recipe.ingredients[6].digest = content_digest(maker.folder() / "modules.ext4", {});
    try {
        measure_ingredients(recipe, no_progress());
        FAIL() << "it was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        EXPECT_THAT(error.what(), HasSubstr("rootfs.ext4 has the digest "));
    }
}

TEST_F(BundlePackTest, AFullDiskLeavesNothing)
{
    maker.write("vmlinux", [] {
        std::string noise(2'000'000, ' ');
        std::uint32_t state = 1;
        for (auto& c : noise) {
            state = state * 1664525U + 1013904223U;
            c = static_cast<char>(state >> 24U);
        }
        return noise;
    }());
    const auto code = test::on_small_disk(1'000'000, [this](const std::filesystem::path& disk) {
        try {
            maker.make(disk / "bundle.tar.gz");
        } catch (const Error& error) {
            return error.code() == ErrorCode::NoSpace && std::filesystem::is_empty(disk) ? 0 : 1;
        }
        return 2;
    });
    if (!code) {
        GTEST_SKIP() << "no user namespace for a small file system";
    }
    EXPECT_EQ(*code, 0);
}

TEST_F(BundlePackTest, AFolderWithOtherThingsInItIsLeftAsItIs)
{
    const auto project = folder.path / "project";
    std::filesystem::create_directories(project / ".next/server");
    std::filesystem::create_directories(project / ".new");
    std::ofstream{project / ".next/server/page"} << "the user's";
    for (const auto& place : {project, project / ""}) {
        try {
            maker.make(place);
            FAIL() << "a bundle is in it";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), HasSubstr("is no bundle and has other things in it"));
        }
    }
    EXPECT_EQ(content_of(project / ".next/server/page"), "the user's");
    EXPECT_TRUE(std::filesystem::exists(project / ".new"));
    EXPECT_FALSE(std::filesystem::exists(project / ".lock"));
}

TEST_F(BundlePackTest, ADraftThatIsALinkOrOfAKilledOneIsNotWrittenThrough)
{
    std::filesystem::create_directories(archive.parent_path());
    std::ofstream{folder.path / "other"} << "somebody's";
    const auto draft = archive.parent_path() / ".bundle.tar.gz.new";
    std::filesystem::create_hard_link(folder.path / "other", draft);
    const auto packed = maker.make(archive);
    EXPECT_EQ(sha256_of_file(archive, {}), packed.sha256.value());
    EXPECT_EQ(content_of(folder.path / "other"), "somebody's");
}

TEST_F(BundlePackTest, AFolderIsABundleToo)
{
    const auto place = folder.path / "runtime/";
    const auto packed = maker.make(place);
    EXPECT_FALSE(packed.sha256);
    EXPECT_EQ(content_of(place / "vmlinux"), "the vmlinux");
    EXPECT_EQ(to_text(parse_bundle_contents(content_of(place / "bundle.json"), "bundle.json")),
              content_of(place / "bundle.json"));
    EXPECT_FALSE(std::filesystem::exists(place / ".new"));
    maker.write("vmlinux", "a newer one");
    maker.make(folder.path / "runtime");  // now that it is one, no slash is needed
    EXPECT_EQ(content_of(place / "vmlinux"), "a newer one");
}

}  // namespace
}  // namespace banger::agent
