// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_places.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

TEST(BundlePlacesTest, AnInstalledProgramFindsItInLibBangerOfItsPrefix)
{
    EXPECT_EQ(installed_bundle_of("/usr/libexec/banger/bangerd"), "/usr/lib/banger");
    EXPECT_EQ(installed_bundle_of("/opt/b/bin/bangerd"), "/opt/b/lib/banger");
    EXPECT_EQ(installed_bundle_of("/home/u/.local/libexec/banger/bangerd"), "/home/u/.local/lib/banger");
}

TEST(BundlePlacesTest, AProgramInABuildTreeKnowsItsCheckout)
{
    const test::TemporaryFolder folder;
    std::filesystem::create_directories(folder.path / "build/bin");
    const auto program = folder.path / "build/bin/bangerd";
    EXPECT_EQ(checkout_of(program), std::nullopt);
    const auto cache = folder.path / "build/CMakeCache.txt";
    std::ofstream{cache} << "# a cache\nCMAKE_HOME_DIRECTORY:INTERNAL=/src/banger\nX:STRING=y\n";
    EXPECT_EQ(checkout_of(program), "/src/banger");
    std::ofstream{cache} << "CMAKE_HOME_DIRECTORY:INTERNAL=relative\n";
    EXPECT_EQ(checkout_of(program), std::nullopt);
}

TEST(BundlePlacesTest, TheTestsThemselvesAreInABuildTree) { EXPECT_TRUE(std::filesystem::exists(own_program())); }

}  // namespace
}  // namespace banger::agent
