// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_publish.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/bundle_maker.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using test::BundleMaker;
using test::content_of;

class BundlePublishTest : public ::testing::Test {
protected:
    BundlePublishTest()
    {
        old.write("vmlinux", "the old kernel");
        old.make(place / "");
        fresh.write("vmlinux", "the new kernel");
        auto recipe = fresh.recipe(folder.path / "draft/");
        recipe.ingredients.erase(recipe.ingredients.begin() + 1);  // no jailer
        BundleHome home{{.own = [] { return fs::path{"/nonexistent"}; },
                         .given = [] { return std::vector<fs::path>{}; },
                         .stamps = folder.path / "stamps.json"}};
        home.package(recipe, test::no_progress());
        fs::remove(draft / ".lock");
        std::ofstream{place / "mine"} << "not the bundle's";
    }
    void expect_new_one() const { expect_new_one_in(place); }
    static void expect_new_one_in(const fs::path& bundle)
    {
        EXPECT_EQ(content_of(bundle / "vmlinux"), "the new kernel");
        EXPECT_FALSE(fs::exists(bundle / "jailer")) << "what only the old bundle had goes with it";
        EXPECT_EQ(content_of(bundle / "mine"), "not the bundle's");
        for (const auto* left : {".next", ".old.json", ".new"}) {
            EXPECT_FALSE(fs::exists(bundle / left)) << left;
        }
        EXPECT_EQ(parse_bundle_contents(content_of(bundle / "bundle.json"), "b").parts.size(), 7U);
    }

    test::TemporaryFolder folder;
    fs::path place = folder.path / "runtime";
    fs::path draft = folder.path / "draft";
    BundleMaker old{folder.path / "old"};
    BundleMaker fresh{folder.path / "fresh"};
};

TEST_F(BundlePublishTest, ANewBundleTakesTheOldOnesPlace)
{
    publish_bundle(place, draft);
    expect_new_one();
    EXPECT_FALSE(fs::exists(draft));
    struct stat status {};
    ASSERT_EQ(::stat((place / "firecracker").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0755U);
    ASSERT_EQ(::stat((place / "vmlinux").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

/// What a SIGKILL after each of its steps leaves is what the first steps of it leave.
TEST_F(BundlePublishTest, AKilledOneIsFinishedLater)
{
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator{draft}) {
        if (entry.path().filename() != "bundle.json") {
            files.push_back(entry.path().filename());
        }
    }
    for (std::size_t steps = 0; steps <= files.size() + 3; ++steps) {
        fs::remove_all(folder.path / "copy");
        fs::copy(place, folder.path / "copy", fs::copy_options::recursive);
        fs::copy(draft, folder.path / "copy/.next", fs::copy_options::recursive);
        const auto copy = folder.path / "copy";
        if (steps > 0) {
            fs::rename(copy / "bundle.json", copy / ".old.json");
        }
        for (std::size_t i = 0; i + 1 < steps && i < files.size(); ++i) {
            fs::rename(copy / ".next" / files[i], copy / files[i]);
        }
        if (steps > files.size() + 1) {
            fs::rename(copy / ".next/bundle.json", copy / "bundle.json");
        }
        if (steps > files.size() + 2) {
            fs::remove_all(copy / ".next");
        }
        finish_publishing(copy);
        expect_new_one_in(copy);
    }
}

TEST_F(BundlePublishTest, NothingToFinishIsFine)
{
    finish_publishing(place);
    EXPECT_EQ(content_of(place / "vmlinux"), "the old kernel");
    fs::create_directory(place / ".next");
    std::ofstream{place / ".next/half"} << "x";
    finish_publishing(place);
    EXPECT_FALSE(fs::exists(place / ".next"));
    EXPECT_EQ(content_of(place / "vmlinux"), "the old kernel");
}

}  // namespace
}  // namespace banger::agent
