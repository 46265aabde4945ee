// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <map>

#include "cli/copy/archive.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

struct Member {
    mode_t kind;
    mode_t mode;
    la_int64_t uid;
    std::string link;
    std::string data;
};

class PackTest : public testing::Test {
protected:
    static constexpr auto ignore_bytes = [](std::size_t) {};

    void pack_to_file(const fs::path& source, const Renaming& renaming, Owners owners = Owners::Receiver,
                      SourceLinks links = SourceLinks::Keep) const
    {
        const UniqueFd file{::open((scratch / "archive").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)};
        pack(file.get(), source, renaming, owners, links, ignore_bytes);
    }

    std::map<std::string, Member> members() const
    {
        const c_ptr<archive, archive_read_free> tar{archive_read_new()};
        archive_read_support_format_tar(tar.get());
        EXPECT_EQ(archive_read_open_filename(tar.get(), (scratch / "archive").c_str(), 65536), ARCHIVE_OK);
        std::map<std::string, Member> found;
        archive_entry* entry = nullptr;
        while (archive_read_next_header(tar.get(), &entry) == ARCHIVE_OK) {
            const char* hard = archive_entry_hardlink(entry);
            const char* soft = archive_entry_symlink(entry);
            std::string data(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
            const auto got = archive_read_data(tar.get(), data.data(), data.size());
            data.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
            found[archive_entry_pathname(entry)] = {archive_entry_filetype(entry), archive_entry_perm(entry),
                                                    archive_entry_uid(entry),
                                                    hard != nullptr   ? hard
                                                    : soft != nullptr ? soft
                                                                      : "",
                                                    data};
        }
        return found;
    }

    ScratchFolder scratch;
};

TEST_F(PackTest, NamesAFileAsAsked)
{
    write_file(scratch / "a", "content");
    fs::permissions(scratch / "a", fs::perms{0640});
    pack_to_file(scratch / "a", {"a", "b"});
    const auto found = members();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.at("b").data, "content");
    EXPECT_EQ(found.at("b").mode, 0640U);
}

TEST_F(PackTest, GivesFilesToRootUnlessOwnersAreKept)
{
    write_file(scratch / "a", "x");
    pack_to_file(scratch / "a", {"a", "a"});
    EXPECT_EQ(members().at("a").uid, 0);
    pack_to_file(scratch / "a", {"a", "a"}, Owners::Archive);
    EXPECT_EQ(members().at("a").uid, static_cast<la_int64_t>(::getuid()));
}

TEST_F(PackTest, TakesATreeWithItsLinks)
{
    fs::create_directories(scratch / "d/sub");
    write_file(scratch / "d/file", "x");
    fs::create_symlink("../file", scratch / "d/sub/soft");
    fs::create_hard_link(scratch / "d/file", scratch / "d/sub/hard");
    pack_to_file(scratch / "d", {"d", "e"});
    const auto found = members();
    EXPECT_EQ(found.size(), 5U);
    EXPECT_EQ(found.at("e/").kind, mode_t{S_IFDIR});
    EXPECT_EQ(found.at("e/sub/soft").link, "../file");
    const bool file_first = found.at("e/file").link.empty();
    EXPECT_EQ(file_first ? found.at("e/sub/hard").link : found.at("e/file").link, file_first ? "e/file" : "e/sub/hard");
}

TEST_F(PackTest, LeavesTheFolderItselfOutWhereOnlyWhatIsInItIsWanted)
{
    fs::create_directory(scratch / "d");
    write_file(scratch / "d/file", "x");
    pack_to_file(scratch / "d", {"d", ""});
    const auto found = members();
    EXPECT_EQ(found.size(), 1U);
    EXPECT_TRUE(found.contains("file"));
}

TEST_F(PackTest, FollowsALinkThatIsNamedOnlyWhenAsked)
{
    write_file(scratch / "real", "x");
    fs::create_symlink("real", scratch / "link");
    pack_to_file(scratch / "link", {"link", "l"});
    EXPECT_EQ(members().at("l").kind, mode_t{S_IFLNK});
    pack_to_file(scratch / "link", {"link", "l"}, Owners::Receiver, SourceLinks::Follow);
    EXPECT_EQ(members().at("l").data, "x");
}

TEST_F(PackTest, LeavesOutWhatIsNeitherFileFolderNorLink)
{
    fs::create_directory(scratch / "d");
    ASSERT_EQ(::mkfifo((scratch / "d/pipe").c_str(), 0600), 0);
    write_file(scratch / "d/file", "x");
    pack_to_file(scratch / "d", {"d", "d"});
    EXPECT_FALSE(members().contains("d/pipe"));
    EXPECT_TRUE(members().contains("d/file"));
}

TEST_F(PackTest, SaysWhatIsNotThere)
{
    try {
        pack_to_file(scratch / "no-such", {"no-such", "x"});
        FAIL() << "it found something";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
        EXPECT_NE(std::string{error.what()}.find("no-such"), std::string::npos);
    }
}

TEST_F(PackTest, AReceiverThatLeavesIsUnavailable)
{
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const UniqueFd ours{ends[0]};
    ::close(ends[1]);
    write_file(scratch / "big", std::string(1 << 20, 'x'));
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    try {
        pack(ours.get(), scratch / "big", {"big", "big"}, Owners::Receiver, SourceLinks::Keep, ignore_bytes);
        FAIL() << "it wrote into nothing";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    }
    std::signal(SIGPIPE, before);
}

TEST_F(PackTest, WhatIsPackedIsUnpackedAsItWas)
{
    fs::create_directories(scratch / "tree/sub/empty");
    write_file(scratch / "tree/n\nl \xc3\xa4 \xff", "odd name");
    write_file(scratch / "tree/run", "#!");
    fs::permissions(scratch / "tree/run", fs::perms{0751});
    fs::create_hard_link(scratch / "tree/run", scratch / "tree/sub/hard");
    fs::create_symlink("/no/such", scratch / "tree/dangling");
    const bool has_xattrs = ::setxattr((scratch / "tree/run").c_str(), "user.note", "n\0te", 4, 0) == 0;
    write_file(scratch / "tree/sparse", "start");
    fs::resize_file(scratch / "tree/sparse", 64U << 20U);
    pack_to_file(scratch / "tree", {"tree", "sent"});

    fs::create_directory(scratch / "out");
    const UniqueFd file{::open((scratch / "archive").c_str(), O_RDONLY | O_CLOEXEC)};
    unpack(file.get(), scratch / "out", {"sent", "back"}, Owners::Receiver, ignore_bytes);
    const auto back = scratch / "out/back";
    EXPECT_EQ(read_file(back / "n\nl \xc3\xa4 \xff"), "odd name");
    EXPECT_EQ(mode_of(back / "run"), 0751U);
    EXPECT_TRUE(fs::equivalent(back / "run", back / "sub/hard"));
    EXPECT_EQ(fs::read_symlink(back / "dangling"), "/no/such");
    EXPECT_TRUE(fs::is_directory(back / "sub/empty"));
    struct stat status {};
    ASSERT_EQ(::stat((back / "sparse").c_str(), &status), 0);
    EXPECT_EQ(status.st_size, 64 << 20);
    EXPECT_LT(status.st_blocks * 512, 1 << 20);
    if (has_xattrs) {
        std::array<char, 8> value{};
        EXPECT_EQ(::getxattr((back / "run").c_str(), "user.note", value.data(), value.size()), 4);
    }
}

}  // namespace
}  // namespace banger::cli
