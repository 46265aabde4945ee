// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/image_tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

class ImageTreeTest : public ::testing::Test {
protected:
    ImageTreeTest() { fs::create_directories(tree / "etc/ssh"); }
    static void put(const fs::path& file, const std::string& text)
    {
        fs::create_directories(file.parent_path());
        std::ofstream{file} << text;
    }
    static std::string get(const fs::path& file)
    {
        std::ifstream stream{file};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    void finish(const std::string& folder_of_work = "") const
    {
        ImageConfig config;
        config.working_dir = folder_of_work;
        const auto umask = ::umask(0077);
        finish_pulled_tree(tree, config);
        ::umask(umask);
    }

    test::TemporaryFolder folder;
    fs::path tree{folder.path / "tree"};
};

TEST_F(ImageTreeTest, WhatMustDifferBetweenTwoVmsIsTakenOut)
{
    put(tree / "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put(tree / "etc/ssh/ssh_host_ed25519_key", "secret");
    put(tree / "etc/ssh/ssh_host_ed25519_key.pub", "public");
    put(tree / "etc/ssh/sshd_config", "kept");
    finish();
    EXPECT_TRUE(fs::exists(tree / "etc/machine-id"));
    EXPECT_EQ(get(tree / "etc/machine-id"), "");
    EXPECT_FALSE(fs::exists(tree / "etc/ssh/ssh_host_ed25519_key"));
    EXPECT_FALSE(fs::exists(tree / "etc/ssh/ssh_host_ed25519_key.pub"));
    EXPECT_EQ(get(tree / "etc/ssh/sshd_config"), "kept");
}

TEST_F(ImageTreeTest, AnImageWithNothingOfThatStaysAsItIs)
{
    fs::remove_all(tree / "etc");
    finish();
    EXPECT_TRUE(fs::is_empty(tree));
}

TEST_F(ImageTreeTest, TheFolderItWorksInIsThere)
{
    finish("/srv/app/./run/");
    struct stat status {};
    ASSERT_EQ(::stat((tree / "srv/app/run").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0755U);
    finish("/");
    put(tree / "file", "x");
    finish("/file/below");  // the guest says what it finds
    EXPECT_EQ(get(tree / "file"), "x");
}

TEST_F(ImageTreeTest, LinksAndDotsNeverLeadOut)
{
    put(folder.path / "outside/machine-id", "the host's");
    put(folder.path / "outside/ssh_host_rsa_key", "the host's");
    fs::remove_all(tree / "etc");
    fs::create_directory_symlink(folder.path / "outside", tree / "etc");
    fs::create_directory_symlink("../outside", tree / "up");
    finish("/up/made");
    EXPECT_EQ(get(folder.path / "outside/machine-id"), "the host's");
    EXPECT_EQ(get(folder.path / "outside/ssh_host_rsa_key"), "the host's");
    EXPECT_FALSE(fs::exists(folder.path / "outside/made"));
    finish("/../../made");
    EXPECT_FALSE(fs::exists(folder.path / "made"));
    EXPECT_TRUE(fs::exists(tree / "made"));
}

TEST_F(ImageTreeTest, SystemdIsFoundWhereTheGuestFindsIt)
{
    EXPECT_FALSE(has_systemd(tree));
    put(tree / "sbin/init", "busybox");
    EXPECT_FALSE(has_systemd(tree));
    put(tree / "usr/lib/systemd/systemd", "x");
    fs::create_directory_symlink("usr/lib", tree / "lib");
    EXPECT_TRUE(has_systemd(tree));
    fs::remove(tree / "lib");
    EXPECT_FALSE(has_systemd(tree));
    fs::remove(tree / "sbin/init");
    fs::create_symlink("/usr/lib/systemd/systemd", tree / "sbin/init");
    EXPECT_TRUE(has_systemd(tree)) << "an absolute link is the image's own";
}

TEST_F(ImageTreeTest, AHostsSystemdIsNotTheImages)
{
    put(folder.path / "outside/systemd", "x");
    fs::create_directories(tree / "sbin");
    fs::create_symlink(folder.path / "outside/systemd", tree / "sbin/init");
    EXPECT_FALSE(has_systemd(tree));
}

}  // namespace
}  // namespace banger::agent
