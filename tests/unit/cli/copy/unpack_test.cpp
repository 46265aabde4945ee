// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <vector>

#include "cli/copy/archive.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

constexpr mode_t usual_mode = 0644;

/// One member of a guest's archive.
struct Sent {
    std::string name;
    mode_t kind{AE_IFREG};
    std::string data{"evil"};  ///< or a symlink's target
    std::string hard_link{};
    mode_t mode{usual_mode};
};

class UnpackTest : public testing::Test {
protected:
    UnpackTest()
    {
        fs::create_directory(scratch / "out");
        fs::create_directory(scratch / "outside");
    }

    void send(const std::vector<Sent>& members) const
    {
        const c_ptr<archive, archive_write_free> tar{archive_write_new()};
        archive_write_set_format_pax(tar.get());
        ASSERT_EQ(archive_write_open_filename(tar.get(), archive_path().c_str()), ARCHIVE_OK);
        for (const auto& member : members) {
            const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
            archive_entry_set_pathname(entry.get(), member.name.c_str());
            archive_entry_set_filetype(entry.get(), member.kind);
            archive_entry_set_perm(entry.get(), member.mode);
            archive_entry_xattr_add_entry(entry.get(), "user.note", "kept", 4);
            archive_entry_xattr_add_entry(entry.get(), "security.capability", "\1\0\0\2", 4);
            const bool is_file = member.kind == AE_IFREG && member.hard_link.empty();
            if (member.kind == AE_IFLNK) {
                archive_entry_set_symlink(entry.get(), member.data.c_str());
            }
            if (!member.hard_link.empty()) {
                archive_entry_set_hardlink(entry.get(), member.hard_link.c_str());
            }
            archive_entry_set_size(entry.get(), is_file ? static_cast<la_int64_t>(member.data.size()) : 0);
            ASSERT_GE(archive_write_header(tar.get(), entry.get()), ARCHIVE_WARN) << archive_error_string(tar.get());
            if (is_file) {
                archive_write_data(tar.get(), member.data.data(), member.data.size());
            }
        }
        archive_write_close(tar.get());
    }
    void receive(const Renaming& renaming = {"src", "dst"}, Owners owners = Owners::Receiver) const
    {
        const UniqueFd file{::open(archive_path().c_str(), O_RDONLY | O_CLOEXEC)};
        unpack(file.get(), scratch / "out", renaming, owners, [](std::size_t) {});
    }
    /// The error that the archive is refused with; what it tried to reach is as it was.
    ErrorCode refusal(const std::vector<Sent>& members) const
    {
        send(members);
        ErrorCode code = ErrorCode::Internal;
        try {
            receive();
            ADD_FAILURE() << members.back().name << " was taken";
        } catch (const Error& error) {
            code = error.code();
        }
        EXPECT_TRUE(fs::is_empty(scratch / "outside"));
        return code;
    }
    fs::path archive_path() const { return scratch / "archive"; }

    ScratchFolder scratch;
};

TEST_F(UnpackTest, RefusesNamesThatLeadOut)
{
    const auto outside = (scratch / "outside/x").string();
    for (const auto& name :
         {std::string{"../outside/x"}, std::string{"src/../../outside/x"}, outside, std::string{"other/x"}}) {
        EXPECT_EQ(refusal({{.name = name}}), ErrorCode::CorruptData) << name;
    }
}

TEST_F(UnpackTest, GoesThroughNoSymlinkThatTheArchiveBrought)
{
    refusal({{.name = "src", .kind = AE_IFDIR, .mode = 0755},
             {.name = "src/way", .kind = AE_IFLNK, .data = (scratch / "outside").string()},
             {.name = "src/way/x"}});
    refusal({{.name = "src", .kind = AE_IFDIR, .mode = 0755},
             {.name = "src/up", .kind = AE_IFLNK, .data = "../.."},
             {.name = "src/up/outside/x"}});
}

TEST_F(UnpackTest, GoesThroughNoSymlinkThatWasThere)
{
    fs::create_directory(scratch / "out/dst");
    fs::create_directory_symlink(scratch / "outside", scratch / "out/dst/way");
    refusal({{.name = "src/way/x"}});
    EXPECT_TRUE(fs::is_symlink(scratch / "out/dst/way")) << "the user's own link is left alone";
}

TEST_F(UnpackTest, LeavesTheCurrentFolderAsItWas)
{
    const auto before = fs::current_path();
    send({{.name = "src"}});
    receive();
    EXPECT_EQ(fs::current_path(), before);
    refusal({{.name = "../escaped"}});
    EXPECT_EQ(fs::current_path(), before);
}

TEST_F(UnpackTest, ReplacesASymlinkInsteadOfWritingThroughIt)
{
    write_file(scratch / "victim", "mine");
    fs::create_symlink(scratch / "victim", scratch / "out/dst");
    send({{.name = "src"}});
    receive();
    EXPECT_EQ(read_file(scratch / "victim"), "mine");
    EXPECT_EQ(read_file(scratch / "out/dst"), "evil");
    EXPECT_FALSE(fs::is_symlink(scratch / "out/dst"));
}

TEST_F(UnpackTest, RefusesHardLinksToWhatIsElsewhere)
{
    write_file(scratch / "victim", "mine");
    EXPECT_EQ(refusal({{.name = "src", .hard_link = (scratch / "victim").string()}}), ErrorCode::CorruptData);
    EXPECT_EQ(refusal({{.name = "src", .hard_link = "../victim"}}), ErrorCode::CorruptData);
    EXPECT_EQ(refusal({{.name = "src/a", .hard_link = "src/../../victim"}}), ErrorCode::CorruptData);
}

TEST_F(UnpackTest, RefusesAHardLinkThroughASymlink)
{
    write_file(scratch / "victim", "mine");
    refusal({{.name = "src", .kind = AE_IFDIR, .mode = 0755},
             {.name = "src/way", .kind = AE_IFLNK, .data = scratch.path().string()},
             {.name = "src/x", .hard_link = "src/way/victim"}});
    EXPECT_EQ(fs::hard_link_count(scratch / "victim"), 1U);
}

TEST_F(UnpackTest, TakesAwaySetuidAndStickyBitsUnlessAskedForAll)
{
    send({{.name = "src", .mode = 06755}});
    receive();
    EXPECT_EQ(mode_of(scratch / "out/dst"), 0755U);
    receive({"src", "all"}, Owners::Archive);
    EXPECT_EQ(mode_of(scratch / "out/all") & 0777U, 0755U);
}

TEST_F(UnpackTest, LeavesOutDevicesAndPipes)
{
    send({{.name = "src", .kind = AE_IFDIR, .mode = 0755},
          {.name = "src/device", .kind = AE_IFBLK},
          {.name = "src/null", .kind = AE_IFCHR},
          {.name = "src/pipe", .kind = AE_IFIFO},
          {.name = "src/file"}});
    receive();
    EXPECT_TRUE(fs::exists(scratch / "out/dst/file"));
    for (const auto* name : {"out/dst/device", "out/dst/null", "out/dst/pipe"}) {
        EXPECT_FALSE(fs::exists(scratch / name)) << name;
    }
}

TEST_F(UnpackTest, KeepsAttributesOfUsersAlone)
{
    send({{.name = "src"}});
    receive();
    const auto path = (scratch / "out/dst");
    EXPECT_LT(::getxattr(path.c_str(), "security.capability", nullptr, 0), 0);
    if (::setxattr((scratch / "outside").c_str(), "user.probe", "x", 1, 0) == 0) {
        ::removexattr((scratch / "outside").c_str(), "user.probe");
        EXPECT_EQ(::getxattr(path.c_str(), "user.note", nullptr, 0), 4);
    }
}

TEST_F(UnpackTest, LeavesModeAndTimesOfTheFolderItself)
{
    const auto before = mode_of(scratch / "out");
    send({{.name = "src", .kind = AE_IFDIR, .mode = 0}, {.name = "src/file"}});
    receive({"src", ""});
    EXPECT_EQ(mode_of(scratch / "out"), before);
    EXPECT_EQ(read_file(scratch / "out/file"), "evil");
}

TEST_F(UnpackTest, SaysThatAFileCouldNotBeWrittenWhole)
{
    send({{.name = "src", .data = std::string(100'000, 'x')}});
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit usual{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
    const rlimit small{4096, usual.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_THROW(receive(), Error);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
    std::signal(SIGXFSZ, before);
}

TEST_F(UnpackTest, RefusesWhatIsNoArchive)
{
    write_file(archive_path(), std::string(100'000, '\xff'));
    EXPECT_THROW(receive(), Error);
    send({{.name = "src", .data = std::string(100'000, 'x')}});
    fs::resize_file(archive_path(), 50'000);
    EXPECT_THROW(receive(), Error);
}

TEST_F(UnpackTest, ForInspectionOnlyWhatIsWantedIsUnpackedAndAllOfItIsReadable)
{
    send({{"src", AE_IFDIR, "", "", 0}, {"src/locked", AE_IFREG, "x", "", 0}, {"src/unwanted", AE_IFREG, "x"}});
    const UniqueFd file{::open(archive_path().c_str(), O_RDONLY | O_CLOEXEC)};
    const Inspection inspection{[](const std::string& path) { return path != "dst/unwanted"; }, 100, 100};
    unpack_to_inspect(file.get(), scratch / "out", {"src", "dst"}, inspection, [](std::size_t) {});
    EXPECT_EQ(mode_of(scratch / "out/dst") & S_IRWXU, mode_t{S_IRWXU});
    EXPECT_EQ(read_file(scratch / "out/dst/locked"), "x");
    EXPECT_FALSE(fs::exists(scratch / "out/dst/unwanted"));
}

TEST_F(UnpackTest, ForInspectionThereIsALimit)
{
    send({{"src/a", AE_IFREG, std::string(60, 'a')}, {"src/b", AE_IFREG, std::string(60, 'b')}});
    const UniqueFd file{::open(archive_path().c_str(), O_RDONLY | O_CLOEXEC)};
    const Inspection inspection{[](const std::string&) { return true; }, 100, 100};
    try {
        unpack_to_inspect(file.get(), scratch / "out", {"src", "dst"}, inspection, [](std::size_t) {});
        FAIL() << "no limit";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NoSpace);
    }
}

TEST_F(UnpackTest, ForInspectionThereIsALimitOfFilesToo)
{
    const auto code = [this](std::uint64_t most, bool wanted) {
        fs::remove_all(scratch / "out");
        fs::create_directory(scratch / "out");
        const UniqueFd file{::open(archive_path().c_str(), O_RDONLY | O_CLOEXEC)};
        const Inspection inspection{[wanted](const std::string&) { return wanted; }, 100, most};
        try {
            unpack_to_inspect(file.get(), scratch / "out", {"src", "dst"}, inspection, [](std::size_t) {});
            return std::optional<ErrorCode>{};
        } catch (const Error& error) {
            return std::optional{error.code()};
        }
    };
    send({{"src", AE_IFDIR, "", "", 0700},
          {"src/a", AE_IFDIR, "", "", 0700},
          {"src/a/one", AE_IFREG, ""},
          {"src/ab", AE_IFREG, ""},
          {"src/link", AE_IFLNK, "ab"}});
    EXPECT_EQ(code(5, true), std::nullopt) << "each counts once";
    EXPECT_EQ(code(4, true), ErrorCode::NoSpace);
    EXPECT_EQ(code(4, false), ErrorCode::NoSpace) << "unwanted ones take time, too";
    send({{"src/a/b/c/d/e/f", AE_IFREG, ""}, {"src/a/b/c/d/e/g", AE_IFREG, ""}});
    EXPECT_EQ(code(8, true), std::nullopt);
    EXPECT_EQ(code(7, true), ErrorCode::NoSpace) << "the folders of one name are folders";
}

}  // namespace
}  // namespace banger::cli
