// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/ports/artifacts.hpp"
#include "agent/system/artifact_catalog.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/runtime/bundle_home.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/bundle_maker.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using test::content_of;
using ::testing::HasSubstr;

class BundleArtifactsTest : public ::testing::Test {
protected:
    BundleArtifactsTest()
    {
        maker.make(own / "");
        bundle = home.find().value();
        fs::create_directories(folder.path / "cache/images");
        fs::create_directories(folder.path / "cache/kernels");
    }
    Artifact adopted(ArtifactCatalog& catalog, const fs::path& draft)
    {
        return catalog.adopt(draft, [](const Digest&) { return false; });
    }

    test::TemporaryFolder folder;
    fs::path own = folder.path / "own";
    test::BundleMaker maker{folder.path / "parts"};
    BundleHome home{{.own = [this] { return own; },
                     .given = [] { return std::vector<fs::path>{}; },
                     .stamps = folder.path / "stamps.json"}};
    FoundBundle bundle{};
    ArtifactCatalog images{folder.path / "cache/images", "image.json"};
    ArtifactCatalog kernels{folder.path / "cache/kernels", "kernel.json"};
};

TEST_F(BundleArtifactsTest, AnImageOfTheBundleIsInTheCatalogByItsDigest)
{
    const auto& disk = *bundle.contents.find("rootfs");
    const auto draft = images.draft("bundle-debian");
    home.make_image(bundle, disk, "debian", draft, {});
    const auto image = adopted(images, draft);
    EXPECT_EQ(image.name, "debian");
    EXPECT_EQ(image.digest, disk.digest.value());
    EXPECT_EQ(image.origin, "runtime bundle 0.1");
    EXPECT_EQ(image.size, disk.size);
    const auto file = image.folder / artifact_file::root_file_system;
    EXPECT_EQ(content_of(file), content_of(own / "rootfs.ext4"));
    EXPECT_LT(allocated_bytes(file), 400'000U) << "holes stay holes";
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0444U);
}

TEST_F(BundleArtifactsTest, AKernelOfTheBundleHasAllItsParts)
{
    const auto draft = kernels.draft("bundle-debian");
    home.make_kernel(bundle, "debian", draft, {});
    const auto kernel = adopted(kernels, draft);
    EXPECT_EQ(kernel.digest, home.kernel_digest(bundle));
    EXPECT_EQ(kernel.version, "1.0");
    EXPECT_EQ(content_of(kernel.folder / artifact_file::kernel), "the vmlinux");
    EXPECT_EQ(content_of(kernel.folder / artifact_file::boot_modules), "the boot-modules.cpio");
    EXPECT_EQ(content_of(kernel.folder / artifact_file::initrd), "the initrd");
    EXPECT_TRUE(fs::exists(kernel.folder / artifact_file::modules));
    EXPECT_NO_THROW(kernels.check(kernel));
    fs::remove(kernel.folder / artifact_file::kernel);
    EXPECT_THROW(kernels.check(kernel), Error);
}

TEST_F(BundleArtifactsTest, AnImageOutlivesItsBundle)
{
    const auto draft = images.draft("bundle-debian");
    home.make_image(bundle, *bundle.contents.find("rootfs"), "debian", draft, {});
    const auto image = adopted(images, draft);
    const auto before = content_of(image.folder / artifact_file::root_file_system);
    maker.write("rootfs.ext4", "another image");
    maker.make(own / "");
    EXPECT_EQ(content_of(own / "rootfs.ext4"), "another image");
    EXPECT_EQ(content_of(image.folder / artifact_file::root_file_system), before);
}

TEST_F(BundleArtifactsTest, AChangedPartMakesNothing)
{
    std::fstream{own / "rootfs.ext4", std::ios::in | std::ios::out} << "evil";
    const auto draft = images.draft("bundle-debian");
    try {
        home.make_image(bundle, *bundle.contents.find("rootfs"), "debian", draft, {});
        FAIL() << "it was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        EXPECT_THAT(error.what(), HasSubstr((own / "rootfs.ext4").string() + " has the digest "));
    }
    EXPECT_FALSE(fs::exists(draft));
    fs::remove(own / "vmlinux");
    EXPECT_THROW(home.make_kernel(bundle, "debian", kernels.draft("k"), {}), Error);
    EXPECT_FALSE(fs::exists(kernels.draft("k")));
}

}  // namespace
}  // namespace banger::agent
