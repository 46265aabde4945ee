// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/cow_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::broker {
namespace {

std::uint64_t allocated(const std::filesystem::path& path)
{
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    constexpr std::uint64_t unit = 512;
    return static_cast<std::uint64_t>(status.st_blocks) * unit;
}

class CowFilesTest : public ::testing::Test {
public:
    std::filesystem::path path(const SandboxKey& key) const { return folder.path / (key.str() + ".cow"); }
    std::string bytes(const SandboxKey& key) const
    {
        std::ifstream file{path(key), std::ios::binary};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    agent::test::TemporaryFolder folder;
    CowFolder files{folder.path};
    SandboxKey web{SandboxKey::parse("1000-web")};
    SandboxKey copy{SandboxKey::parse("1000-copy")};
};

TEST_F(CowFilesTest, ANewOneIsAllocatedAndZeroAndItsOwnersAlone)
{
    files.create(web, 1 * mib);
    EXPECT_EQ(files.size(web), 1 * mib);
    EXPECT_GE(allocated(path(web)), (1 * mib).bytes());
    EXPECT_EQ(bytes(web), std::string((1 * mib).bytes(), '\0'));
    EXPECT_EQ(std::filesystem::status(path(web)).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    EXPECT_EQ(files.list(), std::vector{web});
    EXPECT_TRUE(files.open(web));
}

TEST_F(CowFilesTest, OneThatIsThereIsNotReplaced)
{
    files.create(web, 1 * mib);
    std::ofstream{path(web)} << "kept";
    for (const auto& again :
         {std::function<void()>{[&] { files.create(web, 1 * mib); }}, {[&] { files.clone(web, web); }}}) {
        try {
            again();
            FAIL();
        } catch (const Error& failure) {
            EXPECT_EQ(failure.code(), ErrorCode::AlreadyExists);
        }
    }
    EXPECT_EQ(bytes(web), "kept");
    EXPECT_FALSE(std::filesystem::exists(path(web).string() + ".new"));
}

TEST_F(CowFilesTest, OneThatIsNotThereHasNoLengthAndMayBeRemoved)
{
    EXPECT_EQ(files.size(web), ByteSize{});
    files.remove(web);
    EXPECT_THROW(files.open(web), Error);
    EXPECT_THROW(files.grow(web, 1 * mib), Error);
    EXPECT_THROW(files.clone(web, copy), Error);
    EXPECT_TRUE(files.list().empty());
}

TEST_F(CowFilesTest, GrowingAllocatesAndNeverShrinks)
{
    files.create(web, 1 * mib);
    files.grow(web, 3 * mib);
    EXPECT_EQ(files.size(web), 3 * mib);
    EXPECT_GE(allocated(path(web)), (3 * mib).bytes());
    files.grow(web, 2 * mib);
    EXPECT_EQ(files.size(web), 3 * mib);
}

TEST_F(CowFilesTest, ACloneHasTheBytesAndNoHoles)
{
    files.create(web, 2 * mib);
    {
        const auto file = files.open(web);
        EXPECT_EQ(::pwrite(file.get(), "metadata", 8, 0), 8);
        EXPECT_EQ(::pwrite(file.get(), "end", 3, (2 << 20) - 3), 3);
    }
    files.clone(web, copy);
    EXPECT_EQ(bytes(copy), bytes(web));
    EXPECT_GE(allocated(path(copy)), (2 * mib).bytes());
    const auto file = files.open(copy);
    EXPECT_EQ(::pwrite(file.get(), "other", 5, 0), 5);
    EXPECT_EQ(bytes(web).substr(0, 8), "metadata");
}

TEST_F(CowFilesTest, WhatAKilledBrokerLeftGoesAndOthersFilesAreNotListed)
{
    std::ofstream{folder.path / "1000-web.cow.new"} << "half";
    std::ofstream{folder.path / "notes.cow"} << "no key";
    std::filesystem::create_directory(folder.path / "lost+found");
    CowFolder later{folder.path};
    EXPECT_FALSE(std::filesystem::exists(folder.path / "1000-web.cow.new"));
    EXPECT_TRUE(later.list().empty());
}

TEST_F(CowFilesTest, ALinkIsNotFollowed)
{
    std::ofstream{folder.path / "elsewhere"} << "secret";
    std::filesystem::create_symlink(folder.path / "elsewhere", path(web));
    EXPECT_THROW(files.open(web), Error);
    EXPECT_THROW(files.create(web, 1 * mib), Error);
}

/// 0 when `work` throws NoSpace.
template <typename Work>
bool has_no_space(Work work)
{
    try {
        work();
    } catch (const Error& failure) {
        return failure.code() == ErrorCode::NoSpace;
    }
    return false;
}

TEST(CowFilesOnAFullDisk, EachIsWholeOrNotAtAll)
{
    const auto code = agent::test::on_small_disk(8U << 20U, [](const std::filesystem::path& disk) {
        CowFolder files{disk / "cow"};
        const auto web = SandboxKey::parse("1000-web");
        const auto other = SandboxKey::parse("1000-other");
        files.create(web, 5 * mib);
        if (!has_no_space([&] { files.create(other, 5 * mib); }) || !has_no_space([&] { files.clone(web, other); }) ||
            !has_no_space([&] { files.grow(web, 9 * mib); })) {
            return 1;
        }
        const auto entries = std::distance(std::filesystem::directory_iterator{disk / "cow"}, {});
        const bool is_as_before = files.size(web) == 5 * mib && files.list() == std::vector{web} && entries == 1 &&
                                  allocated(disk / "cow/1000-web.cow") == (5 * mib).bytes();
        files.grow(web, 7 * mib);  // so nothing of what failed is held
        return is_as_before && files.size(web) == 7 * mib ? 0 : 2;
    });
    if (!code) {
        GTEST_SKIP() << "no user namespace with a tmpfs here";
    }
    EXPECT_EQ(*code, 0);
}

}  // namespace
}  // namespace banger::broker
