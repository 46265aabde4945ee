// SPDX-License-Identifier: GPL-2.0-or-later
// The sessions, and in their children tar_extract and tar_write.
#include "guest/core/copy_session.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "common/c_ptr.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/guest_host.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using wire::RefusedCode;

struct Member {
    std::string name;
    std::string content;
    mode_t type{S_IFREG};
    std::string target{};  ///< of a symlink, or (S_IFREG) a hard link
};

/// A tar stream as somebody hostile could make it.
std::string tar_of(const std::vector<Member>& members)
{
    std::string tar(std::size_t{4} << 20U, '\0');
    std::size_t used = 0;
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_pax(writer.get());
    archive_write_open_memory(writer.get(), tar.data(), tar.size(), &used);
    for (const auto& member : members) {
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        archive_entry_set_pathname(entry.get(), member.name.c_str());
        archive_entry_set_mode(entry.get(), member.type | (member.type == S_IFDIR ? 0755U : 0644U));
        archive_entry_set_uid(entry.get(), ::getuid());
        archive_entry_set_gid(entry.get(), ::getgid());
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.content.size()));
        if (member.type == S_IFLNK) {
            archive_entry_set_symlink(entry.get(), member.target.c_str());
        } else if (!member.target.empty()) {
            archive_entry_set_hardlink(entry.get(), member.target.c_str());
        }
        EXPECT_EQ(archive_write_header(writer.get(), entry.get()), ARCHIVE_OK) << archive_error_string(writer.get());
        archive_write_data(writer.get(), member.content.data(), member.content.size());
    }
    archive_write_close(writer.get());
    tar.resize(used);
    return tar;
}

std::string content(const fs::path& path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

struct stat look(const fs::path& path)
{
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status;
}

/// Folders "from", "to" and "outside" in the guest.
class CopySessionTest : public testing::Test {
protected:
    CopySessionTest()
    {
        for (const auto& path : {from, to, outside}) {
            fs::create_directory(path);
        }
        std::ofstream{outside / "secret"} << "secret";
    }
    wire::CopyDone in(const std::string& tar, const std::optional<std::string>& rename = std::nullopt)
    {
        const auto id = pair.host->open(wire::CopyIn{to.string(), rename});
        pair.host->send(id, tar);
        if (!pair.wait([&] { return pair.seen(id).unsent.empty(); })) {
            ADD_FAILURE() << "the guest stopped reading";
        }
        pair.host->end(id);
        return done(id);
    }
    wire::CopyDone out(const fs::path& path, std::string& tar, bool contents = false)
    {
        const auto id = pair.host->open(wire::CopyOut{path.string(), contents});
        const auto result = done(id);
        EXPECT_TRUE(pair.seen(id).eof);
        tar = pair.seen(id).data;
        return result;
    }
    wire::CopyDone done(wire::StreamId id)
    {
        EXPECT_TRUE(pair.wait_end(id));
        EXPECT_NE(pair.seen(id).copied(), nullptr) << (pair.seen(id).refused ? pair.seen(id).refused->text : "");
        return pair.seen(id).copied() != nullptr ? *pair.seen(id).copied() : wire::CopyDone{0, 0, "none"};
    }
    /// Out of "from" and into "to", where it is called "copy".
    void round_trip()
    {
        std::string tar;
        const auto sent = out(from, tar);
        EXPECT_EQ(sent.error, "");
        const auto taken = in(tar, "copy");
        EXPECT_EQ(taken.error, "");
        EXPECT_EQ(taken.entries, sent.entries);
        EXPECT_EQ(taken.bytes, sent.bytes);
    }
    /// What was refused must have changed nothing beside the target.
    void expect_refused(const wire::CopyDone& result)
    {
        EXPECT_NE(result.error, "");
        expect_nothing_outside();
    }
    void expect_nothing_outside()
    {
        EXPECT_EQ(content(outside / "secret"), "secret");
        EXPECT_EQ(look(outside / "secret").st_nlink, 1U);
        EXPECT_EQ(std::distance(fs::directory_iterator{outside}, {}), 1);
    }
    RefusedCode refusal(const wire::OpenRequest& request)
    {
        const auto id = pair.host->open(request);
        EXPECT_TRUE(pair.wait_end(id));
        EXPECT_TRUE(pair.seen(id).refused);
        return pair.seen(id).refused ? pair.seen(id).refused->code : RefusedCode::Limit;
    }

    GuestAndHost pair;
    fs::path from{pair.folder / "from"};
    fs::path to{pair.folder / "to"};
    fs::path outside{pair.folder / "outside"};
};

TEST_F(CopySessionTest, ATreeComesBackAsItWas)
{
    std::ofstream{from / "tool"} << "#!/bin/sh\n";
    fs::create_directories(from / "deep/er");
    std::ofstream{from / "deep/er/caf\xe9 \xff"} << std::string(300'000, 'x');
    fs::create_symlink("/no/where", from / "dangling");
    fs::create_hard_link(from / "tool", from / "twin");
    ::mkfifo((from / "pipe").c_str(), 0640);
    ::chmod((from / "tool").c_str(), 04751);
    ::chmod((from / "deep").c_str(), 01711);
    const timespec times[2]{{1'000'000'000, 5}, {1'234'567'890, 123'456'789}};
    ::utimensat(AT_FDCWD, (from / "tool").c_str(), times, 0);
    ::utimensat(AT_FDCWD, (from / "deep").c_str(), times, 0);
    round_trip();
    const auto copy = to / "copy";
    EXPECT_EQ(look(copy / "tool").st_mode & 07777U, 04751U);
    EXPECT_EQ(look(copy / "deep").st_mode & 07777U, 01711U);
    EXPECT_EQ(look(copy / "tool").st_mtim.tv_sec, 1'234'567'890);
    EXPECT_EQ(look(copy / "tool").st_mtim.tv_nsec, 123'456'789);
    EXPECT_EQ(look(copy / "deep").st_mtim.tv_sec, 1'234'567'890);
    EXPECT_EQ(look(copy / "tool").st_ino, look(copy / "twin").st_ino);
    EXPECT_EQ(fs::file_size(copy / "deep/er/caf\xe9 \xff"), 300'000U);
    EXPECT_EQ(fs::read_symlink(copy / "dangling"), "/no/where");
    EXPECT_TRUE(fs::is_fifo(copy / "pipe"));
}

TEST_F(CopySessionTest, OwnersAreNumbers)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root may give files away";
    }
    std::ofstream{from / "file"} << "x";
    ASSERT_EQ(::lchown((from / "file").c_str(), 54321, 43210), 0);
    round_trip();
    EXPECT_EQ(look(to / "copy/file").st_uid, 54321U);
    EXPECT_EQ(look(to / "copy/file").st_gid, 43210U);
}

TEST_F(CopySessionTest, HolesStayHoles)
{
    constexpr std::uintmax_t size = std::uintmax_t{256} << 20U;
    {
        std::ofstream file{from / "sparse"};
        file << "begin";
        file.seekp(std::streamoff{100} << 20U);
        file << "middle";
    }
    fs::resize_file(from / "sparse", size);
    if (look(from / "sparse").st_blocks * 512 > 1 << 20) {
        GTEST_SKIP() << "no holes on the file system of " << from;
    }
    std::string tar;
    EXPECT_EQ(out(from, tar).error, "");
    EXPECT_LT(tar.size(), std::size_t{1} << 20U);
    EXPECT_EQ(in(tar, "copy").error, "");
    EXPECT_EQ(fs::file_size(to / "copy/sparse"), size);
    EXPECT_LT(look(to / "copy/sparse").st_blocks * 512, 1 << 20);
    std::string middle(6, '-');
    std::ifstream file{to / "copy/sparse"};
    file.seekg(std::streamoff{100} << 20U);
    file.read(middle.data(), 6);
    EXPECT_EQ(middle, "middle");
}

TEST_F(CopySessionTest, ExtendedAttributesAreKept)
{
    std::ofstream{from / "file"} << "x";
    if (::setxattr((from / "file").c_str(), "user.colour", "r\0d", 3, 0) != 0) {
        GTEST_SKIP() << "no user.* attributes on the file system of " << from;
    }
    round_trip();
    char value[8]{};
    EXPECT_EQ(::getxattr((to / "copy/file").c_str(), "user.colour", value, sizeof value), 3);
    EXPECT_EQ(std::string(value, 3), std::string("r\0d", 3));
}

TEST_F(CopySessionTest, AccessControlListsAreKept)
{
    std::ofstream{from / "file"} << "x";
    // struct posix_acl_xattr_header and its entries, linux/posix_acl_xattr.h: u::rw-, u:1234:r--, g::---, m::r--, o::---.
    const std::array<std::uint32_t, 11> acl{2,          0x00060001, 0xffffffff, 0x00040002, 1234,      0x00000004,
                                            0xffffffff, 0x00040010, 0xffffffff, 0x00000020, 0xffffffff};
    if (::setxattr((from / "file").c_str(), "system.posix_acl_access", acl.data(), sizeof acl, 0) != 0) {
        GTEST_SKIP() << "no ACLs on the file system of " << from;
    }
    round_trip();
    std::array<std::uint32_t, 11> copy{};
    EXPECT_EQ(::getxattr((to / "copy/file").c_str(), "system.posix_acl_access", copy.data(), sizeof copy),
              static_cast<ssize_t>(sizeof acl));
    EXPECT_EQ(copy, acl);
}

TEST_F(CopySessionTest, NamesBeginWithTheLastComponentOrWithADot)
{
    std::ofstream{from / "a"} << "x";
    std::string tar;
    out(from.string() + "//", tar);
    EXPECT_EQ(in(tar).error, "");
    EXPECT_TRUE(fs::exists(to / "from/a"));
    out(from, tar, true);
    EXPECT_EQ(in(tar).error, "");
    EXPECT_TRUE(fs::exists(to / "a"));
    out(from / "a", tar);
    EXPECT_EQ(in(tar, "b").error, "");
    EXPECT_EQ(content(to / "b"), "x");
}

TEST_F(CopySessionTest, ALinkIsCopiedAsOneAndItsContentsWhenAskedFor)
{
    std::ofstream{from / "a"} << "x";
    fs::create_symlink(from, pair.folder / "link");
    std::string tar;
    out(pair.folder / "link", tar);
    EXPECT_EQ(in(tar).error, "");
    EXPECT_EQ(fs::read_symlink(to / "link"), from);
    out(pair.folder / "link", tar, true);
    EXPECT_EQ(in(tar).error, "");
    EXPECT_EQ(content(to / "a"), "x");
}

TEST_F(CopySessionTest, FilesThatAreThereAreReplaced)
{
    std::ofstream{to / "a"} << "old";
    fs::create_symlink(outside / "secret", to / "b");
    EXPECT_EQ(in(tar_of({{"a", "new"}, {"b", "new"}})).error, "");
    EXPECT_EQ(content(to / "a"), "new");
    EXPECT_EQ(content(to / "b"), "new");
    expect_nothing_outside();
}

TEST_F(CopySessionTest, RenamingTakesTheFirstComponentOfNamesAndHardLinks)
{
    EXPECT_EQ(in(tar_of({{"./old/", "", S_IFDIR}, {"./old/a", "x"}, {"old/b", "", S_IFREG, "old/a"}}), "new").error,
              "");
    EXPECT_EQ(content(to / "new/b"), "x");
    EXPECT_FALSE(fs::exists(to / "old"));
}

TEST_F(CopySessionTest, AbsoluteNamesAndDotDotAreRefused)
{
    expect_refused(in(tar_of({{(outside / "new").string(), "x"}})));
    expect_refused(in(tar_of({{"../outside/new", "x"}})));
    expect_refused(in(tar_of({{"a/../../outside/new", "x"}})));
    expect_refused(in(tar_of({{"..", "", S_IFDIR}})));
    expect_refused(in(tar_of({{"x/../../outside/secret", "x"}}), "new"));
}

TEST_F(CopySessionTest, HardLinksToOutsideAreRefused)
{
    expect_refused(in(tar_of({{"a", "", S_IFREG, (outside / "secret").string()}})));
    expect_refused(in(tar_of({{"a", "", S_IFREG, "../outside/secret"}})));
    EXPECT_FALSE(fs::exists(to / "a"));
}

TEST_F(CopySessionTest, AHardLinkThroughASymlinkReachesNothingOutside)
{
    in(tar_of({{"door", "", S_IFLNK, outside.string()}, {"a", "", S_IFREG, "door/secret"}}));
    expect_nothing_outside();
    EXPECT_NE(content(to / "a"), "secret");
}

TEST_F(CopySessionTest, ASymlinkAmidANameIsReplacedByADirectory)
{
    EXPECT_EQ(in(tar_of({{"door", "", S_IFLNK, outside.string()}, {"door/secret", "stolen"}})).error, "");
    expect_nothing_outside();
    EXPECT_TRUE(fs::is_directory(fs::symlink_status(to / "door")));
    EXPECT_EQ(content(to / "door/secret"), "stolen");
}

TEST_F(CopySessionTest, TheMembersBeforeARefusedOneStayAndTheStreamIsReadToItsEnd)
{
    const auto result = in(tar_of({{"first", "x"}, {"../bad", "x"}, {"last", std::string(1'000'000, 'x')}}));
    EXPECT_THAT(result.error, HasSubstr("../bad"));
    EXPECT_EQ(result.entries, 1U);
    EXPECT_TRUE(fs::exists(to / "first"));
    EXPECT_FALSE(fs::exists(to / "last"));
}

TEST_F(CopySessionTest, WhatIsNoTarIsToldAsDamaged)
{
    EXPECT_THAT(in("this is not a tar stream").error, HasSubstr("tar stream"));
    const auto whole = tar_of({{"a", std::string(50'000, 'x')}});
    EXPECT_NE(in(whole.substr(0, 20'000)).error, "");
}

TEST_F(CopySessionTest, AnEmptyArchiveIsTakenAndAnEmptyStreamIsNone)
{
    EXPECT_NE(in("").error, "");  // of a client that died
    const auto result = in(tar_of({}));
    EXPECT_EQ(result.error, "");
    EXPECT_EQ(result.entries, 0U);
}

TEST_F(CopySessionTest, WhatCannotBeOpenedIsRefusedBeforeAnyData)
{
    std::ofstream{pair.folder / "file"} << "x";
    EXPECT_EQ(refusal(wire::CopyIn{(pair.folder / "none").string(), {}}), RefusedCode::NotFound);
    EXPECT_EQ(refusal(wire::CopyIn{(pair.folder / "file").string(), {}}), RefusedCode::BadDirectory);
    EXPECT_EQ(refusal(wire::CopyOut{(pair.folder / "none").string(), false}), RefusedCode::NotFound);
    EXPECT_EQ(refusal(wire::CopyOut{(pair.folder / "file").string(), true}), RefusedCode::BadDirectory);
}

TEST_F(CopySessionTest, AFolderThatMayNotBeReadIsNamed)
{
    if (::geteuid() == 0) {
        GTEST_SKIP() << "root may read everything";
    }
    fs::create_directory(from / "closed");
    ::chmod((from / "closed").c_str(), 0);
    std::string tar;
    EXPECT_THAT(out(from, tar).error, HasSubstr("closed"));
    ::chmod((from / "closed").c_str(), 0700);
}

TEST_F(CopySessionTest, AStreamThatTheHostClosesEndsTheCopy)
{
    std::ofstream{from / "large"} << std::string(2'000'000, 'x');
    const auto id = pair.host->open(wire::CopyOut{from.string(), false});
    pair.seen(id).stalled = true;
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data.size() == wire::stream_window; }));
    pair.host->close(id);
    const auto other = pair.host->shell("true");
    ASSERT_TRUE(pair.wait_end(other));
    EXPECT_EQ(pair.host->lost, "");
}

TEST(CopyToFullDiskTest, TheErrorNamesTheFileAndTheReason)
{
    agent::test::TemporaryFolder disk;
    pass_in_namespaces(CLONE_NEWNS, [&] {
        mount_small_disk(disk.path.string(), 1 << 16);
        GuestAndHost pair;
        const auto id = pair.host->open(wire::CopyIn{disk.path.string(), {}});
        pair.host->send(id, tar_of({{"large", std::string(1 << 20, 'x')}}));
        ASSERT_TRUE(pair.wait([&] { return pair.seen(id).unsent.empty(); }));
        pair.host->end(id);
        ASSERT_TRUE(pair.wait_end(id));
        ASSERT_NE(pair.seen(id).copied(), nullptr);
        EXPECT_THAT(pair.seen(id).copied()->error,
                    testing::AllOf(HasSubstr("large"), HasSubstr("No space left on device")));
    });
}

TEST(CopyOfDeadDiskTest, ItsPathHoldsUpNothingElse)
{
    agent::test::TemporaryFolder disk;
    pass_in_namespaces(CLONE_NEWNS, [&] {
        auto server = mount_dead_disk(disk.path.string());
        ::alarm(60);  // where it does hold up all, this test too
        GuestAndHost pair;
        const auto out = pair.host->open(wire::CopyOut{(disk.path / "x").string(), false});
        const auto in = pair.host->open(wire::CopyIn{disk.path.string(), {}});
        pair.host->send(in, "what comes before the answer");
        pair.host->close(pair.host->open(wire::CopyOut{(disk.path / "y").string(), false}));
        pair.host->request(1, wire::Ping{});
        ASSERT_TRUE(pair.wait([&] { return pair.host->response(1) != nullptr; }));
        EXPECT_FALSE(pair.seen(out).refused || pair.seen(in).refused || pair.seen(in).opened);
        server.reset();
        ASSERT_TRUE(pair.wait_end(out) && pair.wait_end(in));
        EXPECT_EQ(pair.seen(out).refused->code, RefusedCode::Failed);
        EXPECT_EQ(pair.seen(in).refused->code, RefusedCode::Failed);
        EXPECT_EQ(pair.host->lost, "");
    });
}

}  // namespace
}  // namespace banger::guest::test
