// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/user_namespace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

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
}

}  // namespace
}  // namespace banger::agent
