// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/root_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/system/disks.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PackageListTest, NamesStandOneOrSeveralOnALineAndCommentsEndIt)
{
    EXPECT_THAT(parse_package_list("# what boots\nudev dbus  # and more\n\n\tg++\r\nlibc6.1-x+y", "list"),
                ElementsAre("udev", "dbus", "g++", "libc6.1-x+y"));
    EXPECT_THAT(parse_package_list("", "list"), IsEmpty());
    EXPECT_THAT(parse_package_list("#", "list"), IsEmpty());
    EXPECT_THAT(default_packages(), ::testing::Contains("openssh-server"));
}

TEST(PackageListTest, WhatIsNoNameIsRefusedWithItsLine)
{
    for (const auto* word : {"-o", "--option", "Udev", "a", "x;y", "../x", "x=1", "x,y", "$(x)", "\xff\xff"}) {
        try {
            parse_package_list(std::string{"udev\n\n"} + word, "list.txt");
            ADD_FAILURE() << word;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), HasSubstr("list.txt:3: "));
        }
    }
}

class RootTreeTest : public ::testing::Test {
protected:
    RootTreeTest()
    {
        for (const auto* folder_name : {"etc/default", "etc/ssh", "etc/apt/apt.conf.d", "etc/apt/sources.list.d"}) {
            fs::create_directories(tree / folder_name);
        }
    }
    void put(const char* name, std::string_view text) const { test::write_file(tree / name, test::file_bytes(text)); }
    std::string get(const fs::path& file) const
    {
        const auto bytes = test::read_whole(file);
        return {bytes.begin(), bytes.end()};
    }

    test::TemporaryFolder folder;
    fs::path tree{folder.path / "root"};
};

TEST_F(RootTreeTest, WhatMustDifferBetweenTwoVmsIsTakenOut)
{
    put("etc/machine-id", "0123456789abcdef\n");
    put("etc/hostname", "builder\n");
    put("etc/ssh/ssh_host_ed25519_key", "secret");
    put("etc/ssh/ssh_host_ed25519_key.pub", "public");
    put("etc/ssh/sshd_config", "kept");
    put("etc/apt/sources.list", "deb http://mirror.example/ x main");
    put("etc/apt/apt.conf.d/99mmdebstrap", "x");
    const auto umask = ::umask(0077);
    finish_root_tree("trixie", tree);
    ::umask(umask);
    EXPECT_EQ(get(tree / "etc/machine-id"), "");
    EXPECT_EQ(get(tree / "etc/hostname"), "localhost\n");
    EXPECT_FALSE(fs::exists(tree / "etc/ssh/ssh_host_ed25519_key"));
    EXPECT_FALSE(fs::exists(tree / "etc/ssh/ssh_host_ed25519_key.pub"));
    EXPECT_EQ(get(tree / "etc/ssh/sshd_config"), "kept");
    EXPECT_FALSE(fs::exists(tree / "etc/apt/sources.list"));
    EXPECT_FALSE(fs::exists(tree / "etc/apt/apt.conf.d/99mmdebstrap"));
    const auto sources = get(tree / "etc/apt/sources.list.d/debian.sources");
    EXPECT_THAT(sources, HasSubstr("Suites: trixie trixie-updates\n"));
    EXPECT_THAT(sources, HasSubstr("Suites: trixie-security\n"));
    struct stat status {};
    ASSERT_EQ(::stat((tree / "etc/hostname").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U);
}

TEST_F(RootTreeTest, LinksOfATreeThatLeadOutOfItAreNotFollowed)
{
    test::write_file(folder.path / "outside/hostname", test::file_bytes("the host's"));
    test::write_file(folder.path / "outside/locale", test::file_bytes("the host's"));
    test::write_file(folder.path / "outside/ssh_host_rsa_key", test::file_bytes("the host's"));
    fs::create_symlink(folder.path / "outside/hostname", tree / "etc/hostname");
    fs::create_symlink("../../outside/hostname", tree / "etc/resolv.conf");
    fs::remove(tree / "etc/ssh");
    fs::create_directory_symlink(folder.path / "outside", tree / "etc/ssh");
    fs::remove(tree / "etc/default");
    fs::create_directory_symlink("../../../../../../../etc/apt", tree / "etc/default");  // leads into the tree's own
    finish_root_tree("bookworm", tree);
    EXPECT_EQ(get(folder.path / "outside/hostname"), "the host's");
    EXPECT_EQ(get(folder.path / "outside/locale"), "the host's");
    EXPECT_EQ(get(folder.path / "outside/ssh_host_rsa_key"), "the host's");
    EXPECT_FALSE(fs::is_symlink(tree / "etc/hostname"));
    EXPECT_EQ(get(tree / "etc/hostname"), "localhost\n");
    EXPECT_EQ(get(tree / "etc/apt/locale"), "LANG=C.UTF-8\n");
}

TEST_F(RootTreeTest, AFolderThatLeadsNowhereIsAnErrorThatNamesTheFile)
{
    fs::remove(tree / "etc/default");
    fs::create_directory_symlink(folder.path / "outside", tree / "etc/default");
    fs::create_directory(folder.path / "outside");
    try {
        finish_root_tree("bookworm", tree);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("etc/default/locale in the new image"));
    }
    EXPECT_TRUE(fs::is_empty(folder.path / "outside"));
}

TEST_F(RootTreeTest, TheRootDiskHoldsTheTreeAndIsSparse)
{
    put("etc/hostname", "localhost\n");
    const auto disk = folder.path / "rootfs.ext4";
    const MakingProgress progress{[](const std::string&) {}, {}};
    if (missing_subordinate_ids()) {
        try {
            write_root_disk(tree, disk, gib, folder.path / "log", progress);
            FAIL();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        }
        return;
    }
    write_root_disk(tree, disk, gib, folder.path / "log", progress);
    EXPECT_EQ(fs::file_size(disk), gib.bytes());
    EXPECT_LT(allocated_bytes(disk), (64 * mib).bytes());
    std::string said;
    run_program({.argv = {find_program("debugfs").string(), "-R", "cat /etc/hostname", disk.string()},
                 .on_line = [&](std::string_view line) { said += line; }});
    EXPECT_THAT(said, HasSubstr("localhost"));
}

}  // namespace
}  // namespace banger::agent
