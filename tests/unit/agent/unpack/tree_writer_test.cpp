// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/unpack/tree_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::unpack {
namespace {

namespace fs = std::filesystem;
using agent::find_program;
using agent::run_program;
using ::testing::HasSubstr;

class TreeWriterTest : public ::testing::Test {
protected:
    TreeWriterTest() { fs::create_directories(source / "usr/bin"); }

    void put(const fs::path& name, const std::string& text) const
    {
        fs::create_directories((source / name).parent_path());
        std::ofstream{source / name} << text;
    }
    void make_image() const
    {
        const auto made = run_program({.argv = {find_program("mke2fs").string(), "-q", "-F", "-t", "ext4", "-d",
                                                source.string(), image.string(), "32M"}});
        ASSERT_TRUE(made.ok()) << made.tail;
    }
    void debugfs(const std::string& request) const
    {
        ASSERT_TRUE(
            run_program({.argv = {find_program("debugfs").string(), "-w", "-R", request, image.string()}}).ok());
    }
    /// In a process of its own, as it changes the working folder. What it threw comes back as its sentence.
    std::string unpack() const
    {
        fs::create_directory(tree);
        const auto child = ::fork();
        if (child == 0) {
            ::umask(0);
            std::string said;
            try {
                unpack_image(image, tree);
            } catch (const std::exception& error) {
                said = error.what();
            }
            std::ofstream{folder.path / "said"} << said;
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
        return content(folder.path / "said");
    }
    static std::string content(const fs::path& file)
    {
        std::ifstream stream{file};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    static struct stat status_of(const fs::path& file)
    {
        struct stat status {};
        EXPECT_EQ(::lstat(file.c_str(), &status), 0) << file;
        return status;
    }

    agent::test::TemporaryFolder folder;
    fs::path source{folder.path / "source"};
    fs::path image{folder.path / "image"};
    fs::path tree{folder.path / "tree"};
};

TEST_F(TreeWriterTest, ATreeComesOutAsItWentIn)
{
    put("etc/hello", "hello");
    put("usr/bin/tool", "setuid");
    fs::permissions(source / "usr/bin/tool", fs::perms{04755});
    fs::permissions(source / "etc", fs::perms{0711});
    fs::create_hard_link(source / "usr/bin/tool", source / "usr/bin/same");
    fs::create_symlink("../etc/hello", source / "usr/short");
    const std::string longer(200, 'x');
    fs::create_symlink(longer, source / "usr/long");
    ::mkfifo((source / "etc/fifo").c_str(), 0600);
    std::ofstream{source / "etc/sparse"}.seekp(5'000'000) << "end";
    const std::string big(300'000, 'b');
    put("etc/big", big);
    const bool has_attributes = ::setxattr((source / "etc/hello").c_str(), "user.colour", "red", 3, 0) == 0;
    make_image();
    ASSERT_EQ(unpack(), "");
    EXPECT_EQ(content(tree / "etc/hello"), "hello");
    EXPECT_EQ(content(tree / "etc/big"), big);
    EXPECT_EQ(status_of(tree / "usr/bin/tool").st_mode & 07777U, 04755U);
    EXPECT_EQ(status_of(tree / "etc").st_mode & 07777U, 0711U);
    EXPECT_EQ(status_of(tree / "usr/bin/tool").st_ino, status_of(tree / "usr/bin/same").st_ino);
    EXPECT_EQ(fs::read_symlink(tree / "usr/short"), "../etc/hello");
    EXPECT_EQ(fs::read_symlink(tree / "usr/long"), longer);
    EXPECT_TRUE(S_ISFIFO(status_of(tree / "etc/fifo").st_mode));
    EXPECT_EQ(fs::file_size(tree / "etc/sparse"), 5'000'003U);
    EXPECT_LT(status_of(tree / "etc/sparse").st_blocks, 400);
    EXPECT_EQ(status_of(tree / "etc/hello").st_mtim.tv_sec, status_of(source / "etc/hello").st_mtim.tv_sec);
    EXPECT_FALSE(fs::exists(tree / "lost+found"));
    if (has_attributes) {
        std::array<char, 16> value{};
        EXPECT_EQ(::getxattr((tree / "etc/hello").c_str(), "user.colour", value.data(), value.size()), 3);
        EXPECT_STREQ(value.data(), "red");
    }
}

TEST_F(TreeWriterTest, WhatIsInDevStaysBehind)
{
    put("dev/file", "x");
    put("etc/dev/file", "x");
    fs::create_symlink("/proc/self/fd", source / "dev/fd");
    make_image();
    ASSERT_EQ(unpack(), "");
    EXPECT_TRUE(fs::is_empty(tree / "dev"));
    EXPECT_TRUE(fs::exists(tree / "etc/dev/file"));
}

TEST_F(TreeWriterTest, OwnersAndCapabilitiesAreKept)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "an ordinary user's files are all his own; tests/host has it in a namespace";
    }
    put("usr/bin/ping", "ping");
    ASSERT_EQ(::lchown((source / "usr/bin/ping").c_str(), 33, 34), 0);
    // vfs_ns_cap_data of version 2: cap_net_raw, effective (include/uapi/linux/capability.h)
    const std::array<unsigned char, 20> capability{1, 0, 0, 2, 0, 0x20};
    const bool has_capability = ::setxattr((source / "usr/bin/ping").c_str(), "security.capability", capability.data(),
                                           capability.size(), 0) == 0;
    make_image();
    ASSERT_EQ(unpack(), "");
    EXPECT_EQ(status_of(tree / "usr/bin/ping").st_uid, 33U);
    EXPECT_EQ(status_of(tree / "usr/bin/ping").st_gid, 34U);
    if (has_capability) {
        std::array<unsigned char, 20> found{};
        EXPECT_EQ(::getxattr((tree / "usr/bin/ping").c_str(), "security.capability", found.data(), found.size()), 20);
        EXPECT_EQ(found, capability);
    }
}

TEST_F(TreeWriterTest, WhatIsNoFileSystemOrADamagedOneIsAnError)
{
    std::ofstream{image} << "no file system";
    EXPECT_THAT(unpack(), HasSubstr("no whole ext4 file system"));
    fs::remove_all(tree);
    fs::remove(image);
    EXPECT_THAT(unpack(), HasSubstr("there is no "));
}

TEST_F(TreeWriterTest, AFileThatIsThereOftenerThanItSaysFillsNoDisk)
{
    put("a/file", std::string(10'000'000, 'x'));
    make_image();
    for (const auto* name : {"b", "c", "d", "e"}) {
        debugfs(std::string{"ln a/file a/"} + name);  // which counts no link
    }
    EXPECT_THAT(unpack(), HasSubstr("more than the file system holds"));
}

TEST_F(TreeWriterTest, AFolderThatIsInItselfIsNotFollowedForEver)
{
    put("a/b/file", "x");
    make_image();
    debugfs("ln a a/b/loop");
    EXPECT_THAT(unpack(), HasSubstr("is in the tree twice"));
}

}  // namespace
}  // namespace banger::unpack
