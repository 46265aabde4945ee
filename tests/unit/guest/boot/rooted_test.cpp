// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/rooted.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

namespace fs = std::filesystem;

/// An image below "top", and beside it what its links must not reach.
class RootedTest : public testing::Test {
protected:
    RootedTest()
    {
        fs::create_directories(top / "etc");
        fs::create_directories(folder.path / "outside");
        std::ofstream{folder.path / "outside/secret"} << "secret";
    }
    void SetUp() override { (void)contained(top.string()); }
    static std::string content(const fs::path& path)
    {
        std::ifstream file{path};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    static mode_t mode(const fs::path& path)
    {
        struct stat status {};
        return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
    }
    std::string outside() const { return (folder.path / "outside").string(); }

    agent::test::TemporaryFolder folder;
    fs::path top{folder.path / "top"};
};

TEST_F(RootedTest, AnAbsoluteLinkLeadsBelowTheTop)
{
    fs::create_directories(top / outside().substr(1));
    std::ofstream{top / outside().substr(1) / "secret"} << "the image's own";
    fs::create_symlink(outside() + "/secret", top / "etc/link");
    const Rooted root{top.string()};
    EXPECT_EQ(root.read("/etc/link"), "the image's own");
    EXPECT_EQ(root.resolve("/etc/link"), outside() + "/secret");
}

TEST_F(RootedTest, NoLinkAndNoDotDotLeadsOut)
{
    fs::create_symlink(outside(), top / "absolute");
    fs::create_symlink("../outside", top / "relative");
    fs::create_symlink("../../../../../../../.." + outside(), top / "etc/far");
    const Rooted root{top.string()};
    for (const char* path :
         {"/absolute/secret", "/relative/secret", "/etc/far/secret", "/../outside/secret", "../outside/secret"}) {
        EXPECT_EQ(root.read(path), std::nullopt) << path;
        EXPECT_FALSE(root.exists(path)) << path;
        EXPECT_EQ(root.resolve(path), std::nullopt) << path;
    }
}

TEST_F(RootedTest, AMagicLinkIsNotFollowed)
{
    const Rooted root{"/"};
    EXPECT_FALSE(root.exists("/proc/self/root/etc"));
}

TEST_F(RootedTest, PathsNeedNoSlashInFront)
{
    std::ofstream{top / "etc/name"} << "x";
    const Rooted root{top.string()};
    EXPECT_EQ(root.read("etc/name"), "x");
    EXPECT_EQ(root.resolve("etc/../etc/name"), "/etc/name");
}

TEST_F(RootedTest, ATopThatIsMissingIsNotFound)
{
    try {
        const Rooted root{(top / "none").string()};
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
    }
}

TEST_F(RootedTest, FoldersAreMadeWhereLinksLeadAndOnlyInside)
{
    fs::create_directory(top / "usr");
    fs::create_symlink("/usr", top / "lib");
    const Rooted root{top.string()};
    EXPECT_TRUE(root.make_folders("/lib/modules/6.1", 0700));
    EXPECT_TRUE(fs::is_directory(top / "usr/modules/6.1"));
    EXPECT_EQ(mode(top / "usr/modules/6.1"), 0700U);
    EXPECT_TRUE(root.make_folders("/lib/modules/6.1"));

    fs::create_symlink(outside(), top / "out");
    EXPECT_THROW((void)root.make_folders("/out/new"), Error);  // dangles, seen from the top
    EXPECT_FALSE(fs::exists(folder.path / "outside/new"));
}

TEST_F(RootedTest, AFileAmongTheFoldersIsAFailure)
{
    std::ofstream{top / "etc/file"} << "x";
    EXPECT_THROW((void)Rooted{top.string()}.make_folders("/etc/file/below"), Error);
}

TEST_F(RootedTest, WritingGoesWhereTheLastLinkLeads)
{
    fs::create_directories(top / "data");
    std::ofstream{top / "data/hosts"} << "old";
    fs::create_symlink("/data/hosts", top / "etc/hosts");
    Rooted{top.string()}.write("/etc/hosts", "new", 0640);
    EXPECT_TRUE(fs::is_symlink(top / "etc/hosts"));
    EXPECT_EQ(content(top / "data/hosts"), "new");
    EXPECT_EQ(mode(top / "data/hosts"), 0640U);
}

TEST_F(RootedTest, WritingMayReplaceTheLastLink)
{
    std::ofstream{top / "stub"} << "old";
    fs::create_symlink("/stub", top / "etc/resolv.conf");
    Rooted{top.string()}.write("/etc/resolv.conf", "new", 0644, Rooted::LastLink::Replace);
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(top / "etc/resolv.conf")));
    EXPECT_EQ(content(top / "etc/resolv.conf"), "new");
    EXPECT_EQ(content(top / "stub"), "old");
}

TEST_F(RootedTest, ALinkThatLeadsOutIsReplacedAndNothingOutsideTouched)
{
    fs::create_symlink(outside() + "/secret", top / "etc/hosts");
    Rooted{top.string()}.write("/etc/hosts", "new");
    EXPECT_EQ(content(folder.path / "outside/secret"), "secret");
    EXPECT_EQ(content(top / "etc/hosts"), "new");
}

TEST_F(RootedTest, WritingMakesTheFoldersOfTheFile)
{
    Rooted{top.string()}.write("/var/lib/x", "new");
    EXPECT_EQ(content(top / "var/lib/x"), "new");
}

TEST_F(RootedTest, AFileIsReplacedAsAWhole)
{
    std::ofstream{top / "etc/hosts"} << "old";
    const UniqueFd reader{::open((top / "etc/hosts").c_str(), O_RDONLY | O_CLOEXEC)};
    fs::create_hard_link(top / "etc/hosts", top / "same");
    Rooted{top.string()}.write("/etc/hosts", "new and longer");
    char text[16]{};
    EXPECT_EQ(::read(reader.get(), text, sizeof text), 3);
    EXPECT_STREQ(text, "old");  // whoever has it open reads it on
    EXPECT_EQ(content(top / "same"), "old");
    EXPECT_EQ(std::distance(fs::directory_iterator{top / "etc"}, {}), 1);  // no temporary is left
}

TEST_F(RootedTest, WhatACrashLeftBehindIsNoObstacle)
{
    fs::create_symlink(outside() + "/secret", top / "etc/.hosts.banger");
    Rooted{top.string()}.write("/etc/hosts", "new");
    EXPECT_EQ(content(top / "etc/hosts"), "new");
    EXPECT_EQ(content(folder.path / "outside/secret"), "secret");
}

TEST_F(RootedTest, AFullDiskLeavesTheOldFileAndNoTemporary)
{
    pass_in_namespaces(CLONE_NEWNS, [&] {
        mount_small_disk(top.string(), 1 << 16);
        std::ofstream{top / "hosts"} << "old";
        try {
            Rooted{top.string()}.write("/hosts", std::string(1 << 17, 'x'));
            ADD_FAILURE() << "it fitted";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::NoSpace);
        }
        EXPECT_EQ(content(top / "hosts"), "old");
        EXPECT_EQ(std::distance(fs::directory_iterator{top}, {}), 1);
    });
}

TEST_F(RootedTest, AFileOfSomeMegabytesIsReadWhole)
{
    const std::string blocklist((std::size_t{5} << 20U) + 7, 'x');
    std::ofstream{top / "etc/hosts"} << blocklist;
    EXPECT_EQ(Rooted{top.string()}.read("/etc/hosts")->size(), blocklist.size());
}

TEST_F(RootedTest, AnEndlessFileIsRefusedAndAFolderHasNoContent)
{
    EXPECT_THROW((void)Rooted{"/"}.read("/dev/zero"), Error);
    EXPECT_EQ(Rooted{top.string()}.read("/etc").value_or(""), "");
}

}  // namespace
}  // namespace banger::guest::test
