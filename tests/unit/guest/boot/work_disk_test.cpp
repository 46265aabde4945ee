// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/work_disk.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* marker = "trusted.banger.filled";

struct stat look(const fs::path& path)
{
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status;
}

std::string content(const fs::path& path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class WorkDiskTest : public testing::Test {
protected:
    WorkDiskTest()
    {
        fs::create_directory(image);
        fs::create_directory(disk);
    }
    void put(const std::string& name, const std::string& text = "x") const { std::ofstream{image / name} << text; }
    /// Of a file system that can't be asked, or by a user who may not.
    bool can_mark() const { return ::setxattr(disk.c_str(), "trusted.banger.try", "x", 1, 0) == 0; }
    void mark(char value) const { EXPECT_EQ(::setxattr(disk.c_str(), marker, &value, 1, 0), 0); }
    char marked() const
    {
        char value = '-';
        (void)!::getxattr(disk.c_str(), marker, &value, 1);
        return value;
    }
    void fill() const { fill_work_disk(disk.string(), image.string()); }

    agent::test::TemporaryFolder folder;
    fs::path image{folder.path / "image"};
    fs::path disk{folder.path / "disk"};
};

using CopyTreeTest = WorkDiskTest;

TEST_F(CopyTreeTest, ModesTimesAndLinksAreKept)
{
    put("tool");
    fs::create_directory(image / "deep");
    put("deep/er", "deeper");
    fs::create_symlink("/no/where", image / "dangling");
    fs::create_symlink("tool", image / "link");
    fs::create_hard_link(image / "tool", image / "twin");
    ::mkfifo((image / "pipe").c_str(), 0640);
    ::chmod((image / "tool").c_str(), 04751);
    ::chmod((image / "deep").c_str(), 02500);
    ::chmod(image.c_str(), 0711);
    const timespec times[2]{{1'000'000'000, 5}, {1'234'567'890, 123'456'789}};
    for (const char* name : {"tool", "deep"}) {
        ::utimensat(AT_FDCWD, (image / name).c_str(), times, 0);
    }
    copy_tree(image.string(), disk.string());
    EXPECT_EQ(look(disk / "tool").st_mode & 07777U, 04751U);
    EXPECT_EQ(look(disk / "deep").st_mode & 07777U, look(image / "deep").st_mode & 07777U);
    EXPECT_EQ(look(disk).st_mode & 07777U, 0711U);
    EXPECT_EQ(look(disk / "tool").st_mtim.tv_sec, 1'234'567'890);
    EXPECT_EQ(look(disk / "tool").st_mtim.tv_nsec, 123'456'789);
    EXPECT_EQ(look(disk / "deep").st_mtim.tv_sec, 1'234'567'890);
    EXPECT_EQ(content(disk / "deep/er"), "deeper");
    EXPECT_EQ(fs::read_symlink(disk / "dangling"), "/no/where");
    EXPECT_EQ(fs::read_symlink(disk / "link"), "tool");
    EXPECT_EQ(look(disk / "tool").st_ino, look(disk / "twin").st_ino);
    EXPECT_TRUE(fs::is_fifo(disk / "pipe"));
    ::chmod((image / "deep").c_str(), 0700);
    ::chmod((disk / "deep").c_str(), 0700);
}

TEST_F(CopyTreeTest, OwnersAreKept)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root may give files away";
    }
    put("file");
    ASSERT_EQ(::lchown((image / "file").c_str(), 1234, 2345), 0);
    ASSERT_EQ(::chown(image.c_str(), 12, 34), 0);
    copy_tree(image.string(), disk.string());
    EXPECT_EQ(look(disk / "file").st_uid, 1234U);
    EXPECT_EQ(look(disk / "file").st_gid, 2345U);
    EXPECT_EQ(look(disk).st_uid, 12U);
}

TEST_F(CopyTreeTest, ExtendedAttributesAreKept)
{
    put("file");
    if (::setxattr((image / "file").c_str(), "user.colour", "red", 3, 0) != 0) {
        GTEST_SKIP() << "no user.* attributes on the file system of " << folder.path;
    }
    copy_tree(image.string(), disk.string());
    char value[8]{};
    EXPECT_EQ(::getxattr((disk / "file").c_str(), "user.colour", value, sizeof value), 3);
    EXPECT_STREQ(value, "red");
}

TEST_F(CopyTreeTest, HolesAreKept)
{
    put("sparse", "begin");
    fs::resize_file(image / "sparse", std::uintmax_t{64} << 20U);
    copy_tree(image.string(), disk.string());
    EXPECT_EQ(fs::file_size(disk / "sparse"), std::uintmax_t{64} << 20U);
    EXPECT_LT(look(disk / "sparse").st_blocks * 512, 1 << 20);
    std::string begin(6, '-');
    std::ifstream{disk / "sparse"}.read(begin.data(), 6);
    EXPECT_EQ(begin, std::string("begin\0", 6));
}

TEST_F(CopyTreeTest, SocketsAreLeftOutAndNamesAreBytes)
{
    const std::string name = "caf\xe9 \xff\n";
    put(name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (image / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    copy_tree(image.string(), disk.string());
    EXPECT_TRUE(fs::exists(disk / name));
    EXPECT_FALSE(fs::exists(fs::symlink_status(disk / "socket")));
}

TEST_F(CopyTreeTest, OtherFileSystemsBelowAreNotEntered)
{
    pass_in_namespaces(CLONE_NEWNS, [&] {
        fs::create_directory(image / "mounted");
        mount_small_disk((image / "mounted").string(), 1 << 16);
        put("mounted/inside");
        put("beside");
        copy_tree(image.string(), disk.string());
        EXPECT_TRUE(fs::exists(disk / "beside"));
        EXPECT_FALSE(fs::exists(disk / "mounted/inside"));
    });
}

TEST_F(CopyTreeTest, TheWorkingFolderIsAsItWas)
{
    const auto before = fs::current_path();
    copy_tree(image.string(), disk.string());
    EXPECT_EQ(fs::current_path(), before);
}

TEST_F(CopyTreeTest, AFullDiskIsToldAsOne)
{
    pass_in_namespaces(CLONE_NEWNS, [&] {
        put("large", std::string(1 << 18, 'x'));
        mount_small_disk(disk.string(), 1 << 16);
        try {
            copy_tree(image.string(), disk.string());
            ADD_FAILURE() << "it fitted";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::NoSpace);
            EXPECT_NE(std::string{error.what()}.find("No space left on device"), std::string::npos) << error.what();
        }
    });
}

class FillWorkDiskTest : public WorkDiskTest {
protected:
    void SetUp() override
    {
        if (!can_mark()) {
            GTEST_SKIP() << "trusted.* attributes can't be set in " << disk
                         << " (CAP_SYS_ADMIN, and a file system that has them)";
        }
        put(".profile", "image's");
    }
};

TEST_F(FillWorkDiskTest, AnEmptyDiskGetsTheImagesFilesOnce)
{
    fs::create_directory(disk / "lost+found");  // as mke2fs makes it
    fill();
    EXPECT_EQ(content(disk / ".profile"), "image's");
    EXPECT_EQ(marked(), '1');
    fs::remove(disk / ".profile");
    fill();
    EXPECT_FALSE(fs::exists(disk / ".profile"));
}

TEST_F(FillWorkDiskTest, AFillingThatWasCutOffIsDoneAgain)
{
    mark('0');
    std::ofstream{disk / ".profile"} << "ima";
    fs::create_directories(disk / "half/made");
    fs::create_directory(disk / "lost+found");
    std::ofstream{disk / "lost+found/#12"} << "kept";
    fill();
    EXPECT_EQ(content(disk / ".profile"), "image's");
    EXPECT_FALSE(fs::exists(disk / "half"));
    EXPECT_TRUE(fs::exists(disk / "lost+found/#12"));
    EXPECT_EQ(marked(), '1');
}

TEST_F(FillWorkDiskTest, SomebodyElsesFilesStayAsTheyAre)
{
    std::ofstream{disk / "data"} << "mine";
    fill();
    EXPECT_EQ(content(disk / "data"), "mine");
    EXPECT_FALSE(fs::exists(disk / ".profile"));
    EXPECT_EQ(marked(), '1');
}

TEST_F(FillWorkDiskTest, AnImageWithoutAHomeLeavesAPrivateFolder)
{
    fs::remove_all(image);
    ::chmod(disk.c_str(), 0755);
    fill();
    EXPECT_EQ(look(disk).st_mode & 07777U, 0700U);
    EXPECT_EQ(marked(), '1');
}

TEST_F(FillWorkDiskTest, ADiskThatWasTooSmallIsFilledOnceItHasGrown)
{
    put("large", std::string(1 << 18, 'x'));
    pass_in_namespaces(CLONE_NEWNS, [&] {
        mount_small_disk(disk.string(), 1 << 16);
        EXPECT_THROW(fill(), Error);
        EXPECT_EQ(marked(), '0');
        ASSERT_EQ(::mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT, "size=1m"), 0);
        fill();
        EXPECT_EQ(fs::file_size(disk / "large"), std::uintmax_t{1} << 18U);
        EXPECT_EQ(marked(), '1');
    });
}

}  // namespace
}  // namespace banger::guest::test
