// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/run_folders.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::guest {
namespace {

namespace fs = std::filesystem;

class RunFoldersTest : public testing::Test {
protected:
    RunFoldersTest()
    {
        fs::create_directories(top / "run");
        fs::create_directories(target);
    }
    agent::test::TemporaryFolder folder;
    fs::path top{folder.path / "top"};
    fs::path target{folder.path / "target"};
};

TEST_F(RunFoldersTest, FoldersComeWithTheirModesAndNothingElse)
{
    fs::create_directories(top / "run/sshd");
    fs::create_directories(top / "run/lock/app");
    fs::permissions(top / "run/sshd", fs::perms{0711});
    fs::permissions(top / "run/lock", fs::perms{01777});
    std::ofstream{top / "run/old.pid"} << "1";
    fs::create_directory_symlink("/etc", top / "run/link");
    make_run_folders(Rooted{top.string()}, target.string());
    EXPECT_EQ(fs::status(target / "sshd").permissions(), fs::perms{0711});
    EXPECT_EQ(fs::status(target / "lock").permissions(), fs::perms{01777});
    EXPECT_TRUE(fs::is_directory(target / "lock/app"));
    EXPECT_FALSE(fs::exists(target / "old.pid"));
    EXPECT_FALSE(fs::exists(fs::symlink_status(target / "link")));
}

TEST_F(RunFoldersTest, WhatIsThereAlreadyStaysAndThereIsAnEnd)
{
    fs::create_directories(top / "run/banger/evil");
    fs::create_directories(target / "banger");
    for (int number = 0; number < 1100; ++number) {
        fs::create_directory(top / "run" / std::to_string(number));
    }
    make_run_folders(Rooted{top.string()}, target.string());
    EXPECT_FALSE(fs::exists(target / "banger/evil"));
    EXPECT_EQ(std::distance(fs::directory_iterator{target}, fs::directory_iterator{}), 1001);
}

TEST_F(RunFoldersTest, AnImageWithoutOneHasNone)
{
    fs::remove(top / "run");
    make_run_folders(Rooted{top.string()}, target.string());
    std::ofstream{top / "run"} << "a file";
    make_run_folders(Rooted{top.string()}, target.string());
    EXPECT_TRUE(fs::is_empty(target));
}

}  // namespace
}  // namespace banger::guest
