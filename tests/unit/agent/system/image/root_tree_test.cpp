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
using ::testing::HasSubstr;

TEST(PackagesOfImagesTest, TheListsAreWhatTheySayTheyAre)
{
    EXPECT_THAT(package_names(default_packages()), ::testing::Contains("openssh-server"));
    EXPECT_THAT(default_packages().front().place, ::testing::StartsWith("packages.apt:"));
    EXPECT_THAT(package_names(docker_packages("bookworm")), ::testing::IsSupersetOf({"docker.io", "apparmor"}));
    EXPECT_THAT(package_names(docker_packages("bookworm")), ::testing::Not(::testing::Contains("docker-cli")));
    EXPECT_THAT(package_names(docker_packages("trixie")), ::testing::Contains("docker-cli"));
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

TEST_F(RootTreeTest, AnUbuntuGetsUbuntusSources)
{
    finish_root_tree("noble", tree);
    const auto sources = get(tree / "etc/apt/sources.list.d/ubuntu.sources");
    EXPECT_THAT(
        sources,
        HasSubstr("URIs: http://archive.ubuntu.com/ubuntu\nSuites: noble noble-updates\nComponents: main universe\n"));
    EXPECT_THAT(sources, HasSubstr("Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"));
    EXPECT_FALSE(fs::exists(tree / "etc/apt/sources.list.d/debian.sources"));
}

TEST_F(RootTreeTest, ATreeWithABaseGetsItsOwnFilesBack)
{
    put("etc/machine-id", "0123456789abcdef\n");
    put("etc/ssh/ssh_host_rsa_key", "secret");
    put("etc/apt/sources.list", "the build's");
    put("etc/apt/sources.list.banger-aside", "the base's");
    put("etc/resolv.conf", "the host's");
    put("etc/hostname", "builder\n");
    put("etc/hostname.banger-aside", "base\n");
    put("etc/apt/sources.list.d/debian.sources", "the base's, too");
    finish_based_tree(tree);
    EXPECT_EQ(get(tree / "etc/machine-id"), "");
    EXPECT_FALSE(fs::exists(tree / "etc/ssh/ssh_host_rsa_key"));
    EXPECT_EQ(get(tree / "etc/apt/sources.list"), "the base's");
    EXPECT_FALSE(fs::exists(tree / "etc/resolv.conf")) << "the base had none";
    EXPECT_EQ(get(tree / "etc/hostname"), "base\n");
    EXPECT_EQ(get(tree / "etc/apt/sources.list.d/debian.sources"), "the base's, too");
}

TEST_F(RootTreeTest, TheHostsAptTakesNoOrdersFromABase)
{
    put("etc/apt/apt.conf", "APT::Update::Pre-Invoke {\"evil\";};");
    put("etc/apt/apt.conf.d/docker-clean", "DPkg::Post-Invoke {\"rm -rf /\";};");
    set_base_aside(tree);
    EXPECT_FALSE(fs::exists(tree / "etc/apt/apt.conf"));
    EXPECT_FALSE(fs::exists(tree / "etc/apt/apt.conf.d"));
    put("etc/apt/apt.conf.d/99mmdebstrap", "the build's");  // which makes the folder
    put("etc/apt/apt.conf.d/50unattended", "of a package that was installed");
    finish_based_tree(tree);
    EXPECT_THAT(get(tree / "etc/apt/apt.conf"), HasSubstr("evil"));
    EXPECT_THAT(get(tree / "etc/apt/apt.conf.d/docker-clean"), HasSubstr("Post-Invoke"));
    EXPECT_EQ(get(tree / "etc/apt/apt.conf.d/50unattended"), "of a package that was installed");
    EXPECT_FALSE(fs::exists(tree / "etc/apt/apt.conf.d/99mmdebstrap"));
    EXPECT_FALSE(fs::exists(tree / "etc/apt/apt.conf.d.banger-aside"));
}

TEST_F(RootTreeTest, TheSuiteOfATreeIsWhatItsOsReleaseSays)
{
    EXPECT_EQ(suite_of_tree(tree), "");
    put("usr/lib/os-release", "ID=debian\nVERSION_CODENAME=trixie\n");
    fs::create_symlink("../usr/lib/os-release", tree / "etc/os-release");
    EXPECT_EQ(suite_of_tree(tree), "trixie");
    put("usr/lib/os-release", "VERSION_CODENAME=\"noble\"\n");
    EXPECT_EQ(suite_of_tree(tree), "noble");
    fs::remove(tree / "etc/os-release");
    test::write_file(folder.path / "outside", test::file_bytes("VERSION_CODENAME=host\n"));
    fs::create_symlink(folder.path / "outside", tree / "etc/os-release");
    EXPECT_EQ(suite_of_tree(tree), "") << "a link never leads out of the tree";
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

TEST_F(RootTreeTest, ATreeThatDoesNotFitIsSaidWithTheOptionThatHelps)
{
    if (missing_subordinate_ids()) {
        GTEST_SKIP() << "no subordinate ids";
    }
    put("srv/much", std::string(20'000'000, 'x'));
    try {
        write_root_disk(tree, folder.path / "rootfs.ext4", 16 * mib, folder.path / "log",
                        {[](const std::string&) {}, {}});
        FAIL() << "it fits";
    } catch (const Error& error) {
        if (error.code() == ErrorCode::HostLacks) {
            GTEST_SKIP() << error.what();
        }
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        EXPECT_THAT(error.what(), HasSubstr("--size"));
    }
}

}  // namespace
}  // namespace banger::agent
