// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/user_namespace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(UserNamespaceTest, RootNeedsNone)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "this is about root";
    }
    for (const auto map : {IdMap::RootAlone, IdMap::Subordinate}) {
        EXPECT_THAT(as_namespace_root({"/bin/x", "-y"}, map), ElementsAre("/bin/x", "-y"));
    }
    EXPECT_FALSE(missing_subordinate_ids());
}

TEST(UserNamespaceTest, AUserIsRootInsideAndKeepsItsWords)
{
    if (::geteuid() == 0) {
        GTEST_SKIP() << "this is about users";
    }
    const auto words = as_namespace_root({"/usr/bin/id", "-u"}, IdMap::RootAlone);
    EXPECT_THAT(words, ::testing::Contains("--map-root-user"));
    EXPECT_EQ((std::vector<std::string>{words.end() - 3, words.end()}),
              (std::vector<std::string>{"--", "/usr/bin/id", "-u"}));
    std::string said;
    const auto result = run_program({.argv = words, .on_line = [&](std::string_view line) { said = line; }});
    if (!result.ok()) {
        GTEST_SKIP() << "this user may have no user namespace: " << result.tail;
    }
    EXPECT_EQ(said, "0");
}

TEST(UserNamespaceTest, AUserWithoutSubordinateIdsIsToldHowToGetThem)
{
    const auto missing = missing_subordinate_ids();
    if (!missing) {
        GTEST_SKIP() << "this user has subordinate ids, or is root";
    }
    EXPECT_THAT(missing->why, HasSubstr("have no line for"));
    EXPECT_THAT(missing->mend, HasSubstr("usermod --add-sub"));
    try {
        as_namespace_root({"/bin/x"}, IdMap::Subordinate);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
    }
}

TEST(UserNamespaceTest, ATreeIsRemovedAndNoneIsNoError)
{
    const test::TemporaryFolder folder;
    const auto tree = folder.path / "tree";
    test::write_file(tree / "a/b/c", test::file_bytes("x"));
    test::write_file(folder.path / "outside", test::file_bytes("x"));
    std::filesystem::create_symlink("../outside", tree / "link");
    std::filesystem::create_directory_symlink("..", tree / "up");
    remove_tree(tree);
    EXPECT_FALSE(std::filesystem::exists(tree));
    EXPECT_TRUE(std::filesystem::exists(folder.path / "outside"));
    remove_tree(tree);
    test::write_file(tree, test::file_bytes("a file"));
    remove_tree(tree);
    EXPECT_FALSE(std::filesystem::exists(tree));
}

/// As mmdebstrap leaves the host's /dev/shm in the tree of a root's build that is killed.
TEST(UserNamespaceTest, WhatIsMountedInATreeIsNotRemovedWithIt)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root's builds mount where others see it";
    }
    const test::TemporaryFolder folder;
    const auto tree = folder.path / "tree";
    test::write_file(tree / "etc/x", test::file_bytes("x"));
    std::filesystem::create_directories(tree / "dev/shm");
    const auto outcome = test::on_small_disk(std::size_t{1} << 20U, [&](const std::filesystem::path& host) {
        test::write_file(host / "precious", test::file_bytes("x"));
        if (::mount(host.c_str(), (tree / "dev/shm").c_str(), nullptr, MS_BIND, nullptr) != 0) {
            return 1;
        }
        remove_tree(tree);
        const bool is_rest_gone = !std::filesystem::exists(tree / "etc");
        return std::filesystem::exists(host / "precious") && is_rest_gone ? 0 : 2;
    });
    if (!outcome || *outcome == 1) {
        GTEST_SKIP() << "this root may not mount";
    }
    EXPECT_EQ(*outcome, 0);
}

TEST(UserNamespaceTest, WhatAProgramOfRootsMountsEndsWithIt)
{
    if (::geteuid() != 0) {
        const std::vector<std::string> words{"/bin/x", "-y"};
        EXPECT_EQ(with_own_mounts(words), words) << "a user's namespace has all that";
        return;
    }
    const test::TemporaryFolder folder;
    const auto place = folder.path / "place";
    std::filesystem::create_directory(place);
    const auto script = "mount -t tmpfs none '" + place.string() + "' && touch '" + (place / "inside").string() +
                        "' && { sleep 60 & echo mounted; }";
    const auto words = with_own_mounts({"/bin/sh", "-c", script});
    if (words.size() == 3) {
        GTEST_SKIP() << "this root may have no namespaces";
    }
    std::string said;
    run_program({.argv = words, .on_line = [&](std::string_view line) { said = line; }});
    if (said != "mounted") {
        GTEST_SKIP() << "this root may not mount: " << said;
    }
    EXPECT_FALSE(std::filesystem::exists(place / "inside"));
    EXPECT_TRUE(std::filesystem::remove(place)) << "nothing is mounted there";
}

}  // namespace
}  // namespace banger::agent
