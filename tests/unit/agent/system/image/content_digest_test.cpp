// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/content_digest.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "common/error.hpp"
#include "common/size.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

class ContentDigestTest : public ::testing::Test {
protected:
    std::string digest(const char* name) const { return content_digest(folder.path / name, {}).str(); }
    void sparse(const char* name, std::uint64_t size, std::uint64_t at, const std::string& text) const
    {
        const UniqueFd fd{::open((folder.path / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
        ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
        ASSERT_EQ(::pwrite(fd.get(), text.data(), text.size(), static_cast<off_t>(at)),
                  static_cast<ssize_t>(text.size()));
    }

    test::TemporaryFolder folder;
};

TEST_F(ContentDigestTest, ItIsWhatItsDescriptionSays)
{
    // sha256 of 5 as 8 bytes, 0 as 8 bytes, "hello" and zeros up to 64 KiB: by Python's hashlib.
    test::write_file(folder.path / "a", test::file_bytes("hello"));
    EXPECT_EQ(digest("a"), "846236f383a0cf7fa239c58d5b50ad2525ebad9b44ab35118b69e2bf136dfe49");
    test::write_file(folder.path / "empty", {});
    EXPECT_EQ(digest("empty"), "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
}

TEST_F(ContentDigestTest, ItDependsOnTheContentAlone)
{
    test::write_file(folder.path / "a", test::file_bytes("hello"));
    const auto first = digest("a");
    std::filesystem::last_write_time(folder.path / "a", std::filesystem::file_time_type::min() + std::chrono::hours{1});
    std::filesystem::permissions(folder.path / "a", std::filesystem::perms::owner_read);
    std::filesystem::rename(folder.path / "a", folder.path / "b");
    EXPECT_EQ(digest("b"), first);
    test::write_file(folder.path / "c", test::file_bytes("hellp"));
    EXPECT_NE(digest("c"), first);
    test::write_file(folder.path / "d", test::file_bytes(std::string("hello\0", 6)));
    EXPECT_NE(digest("d"), first) << "the size counts, too";
}

TEST_F(ContentDigestTest, ItDoesNotDependOnWhereTheHolesAre)
{
    const auto size = (3 * mib).bytes() + 5;
    sparse("holes", size, mib.bytes() + 3, "text");
    test::FileBytes full(size);
    std::copy_n("text", 4, full.begin() + static_cast<std::ptrdiff_t>(mib.bytes()) + 3);
    test::write_file(folder.path / "full", full);
    EXPECT_EQ(digest("holes"), digest("full"));
    sparse("elsewhere", size, 2 * mib.bytes() + 3, "text");
    EXPECT_NE(digest("holes"), digest("elsewhere"));
}

TEST_F(ContentDigestTest, ASparseDiskTakesTheTimeOfItsData)
{
    sparse("disk", (16 * gib).bytes(), (15 * gib).bytes(), "text");
    sparse("hole", (16 * gib).bytes(), 0, "");
    EXPECT_NE(digest("disk"), digest("hole"));  // reading it all would take longer than the limit of the test
}

TEST_F(ContentDigestTest, WhatCanNotSayWhereItsDataIsIsNoHole)
{
    // A folder has a size and refuses SEEK_DATA, or else the read that follows.
    EXPECT_THROW(content_digest(folder.path, {}), Error);
    EXPECT_THROW(content_digest("/dev/shm", {}), Error);
}

TEST_F(ContentDigestTest, ItIsCancelledAndAFileThatIsGoneIsNotFound)
{
    std::stop_source stop;
    stop.request_stop();
    sparse("disk", mib.bytes(), 0, "text");
    const auto code_of = [&](const char* name) {
        try {
            content_digest(folder.path / name, stop.get_token());
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    };
    EXPECT_EQ(code_of("disk"), ErrorCode::Cancelled);
    EXPECT_EQ(code_of("gone"), ErrorCode::NotFound);
}

TEST_F(ContentDigestTest, OneOverSeveralKeepsTheirOrder)
{
    const auto a = Digest::parse(std::string(64, 'a'));
    const auto b = Digest::parse(std::string(64, 'b'));
    EXPECT_EQ(combined_digest({a, b}), combined_digest({a, b}));
    EXPECT_NE(combined_digest({a, b}), combined_digest({b, a}));
    EXPECT_NE(combined_digest({a}), a);
}

TEST(ContentScanTest, TellsWhatIsNoHoleInBlocks)
{
    constexpr std::uint64_t block = std::uint64_t{64} << 10U;
    const test::TemporaryFolder folder;
    const auto file = folder.path / "disk";
    std::ofstream{file, std::ios::binary} << "the beginning" << std::string(3 * block, '\0');
    std::filesystem::resize_file(file, 20 * block + 100);
    std::fstream stream{file, std::ios::in | std::ios::out | std::ios::binary};
    stream.seekp(10 * block);
    stream << std::string(block + 1, 'x');
    stream.seekp(20 * block + 99);
    stream << "e";
    stream.close();
    const auto scan = scan_content(file, {});
    EXPECT_EQ(scan.size, 20 * block + 100);
    EXPECT_EQ(scan.digest, content_digest(file, {}));
    ASSERT_EQ(scan.data.size(), 3U) << "written zeros are a hole, too";
    EXPECT_EQ(scan.data[0].begin, 0U);
    EXPECT_EQ(scan.data[0].size, block);
    EXPECT_EQ(scan.data[1].begin, 10 * block);
    EXPECT_EQ(scan.data[1].size, 2 * block);
    EXPECT_EQ(scan.data[2].begin, 20 * block);
    EXPECT_EQ(scan.data[2].size, 100U) << "up to the end";
}

}  // namespace
}  // namespace banger::agent
