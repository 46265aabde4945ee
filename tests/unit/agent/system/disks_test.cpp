// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/disks.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stop_token>
#include <thread>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr auto no_namespace = "this user may have no user namespace, so no small disk";

struct Piece {
    std::uint64_t offset;
    std::string content;
};

void make_sparse(const fs::path& file, std::uint64_t size, const std::vector<Piece>& pieces)
{
    const UniqueFd fd{::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    ASSERT_TRUE(fd);
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    for (const auto& [offset, content] : pieces) {
        ASSERT_EQ(::pwrite(fd.get(), content.data(), content.size(), static_cast<off_t>(offset)),
                  static_cast<ssize_t>(content.size()));
    }
}

std::string content(const fs::path& file, std::uint64_t offset, std::size_t size)
{
    std::ifstream stream{file, std::ios::binary};
    stream.seekg(static_cast<std::streamoff>(offset));
    std::string text(size, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(size));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

class DisksTest : public ::testing::Test {
protected:
    /// What e2fsprogs says of the work disk.
    std::string ask(std::vector<std::string> argv)
    {
        argv[0] = find_program(argv[0]).string();
        argv.push_back((folder.path / vm_folder::work_disk).string());
        std::string text;
        const auto result =
            run_program({.argv = argv, .on_line = [&text](std::string_view line) { text.append(line).append("\n"); }});
        EXPECT_TRUE(result.ok()) << text;
        return text;
    }

    test::TemporaryFolder folder;
    test::TemporaryFolder cache;
    FileDisks disks{cache.path / "work-disk.img"};
};

TEST_F(DisksTest, WhatReadsAGuestsDiskSeesThatDiskAlone)
{
    std::vector<VmmNeeds> told;
    const Confine confine = [&told](const VmmNeeds& needs) {
        told.push_back(needs);
        return std::vector<std::string>{find_program("env").string()};
    };
    FileDisks confined_disks{cache.path / "work-disk.img", confine};
    std::ofstream{folder.path / vm_folder::root_disk} << "a disk";
    confined_disks.make_work(folder.path, 64 * mib);
    EXPECT_TRUE(told.empty()) << "a new one is nobody's yet";
    confined_disks.grow_work(folder.path, 80 * mib, {});
    EXPECT_EQ(fs::file_size(folder.path / vm_folder::work_disk), (80 * mib).bytes());
    ASSERT_EQ(told.size(), 3U) << "e2fsck, which looks and then plays the journal back, and resize2fs";
    for (const auto& needs : told) {
        EXPECT_EQ(needs.write, std::vector<std::string>{vm_folder::larger_work_disk});
        EXPECT_TRUE(needs.read.empty() && needs.append.empty() && needs.devices.empty());
        EXPECT_EQ(needs.sockets, VmmNeeds::Sockets::None);
    }
}

TEST_F(DisksTest, AProgramThatCannotBeConfinedIsNotTakenForADamagedDisk)
{
    disks.make_work(folder.path, 64 * mib);
    FileDisks refusing{
        cache.path / "work-disk.img", [](const VmmNeeds&) {
            return std::vector<std::string>{find_program("sh").string(), "-c", "echo no rules; exit 127"};
        }};
    try {
        refusing.grow_work(folder.path, 80 * mib, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        EXPECT_THAT(error.what(), HasSubstr("no rules"));
    }
}

TEST_F(DisksTest, ARootDiskIsTheImageWithItsHoles)
{
    const auto image = folder.path / "image";
    const auto size = (64 * mib).bytes() + 123;
    const std::string start(100'000, 's');
    make_sparse(image, size, {{0, start}, {(20 * mib).bytes() + 1, "middle"}, {size - 3, "end"}});
    disks.make_root(image, folder.path, {});
    const auto root = folder.path / vm_folder::root_disk;
    EXPECT_EQ(fs::file_size(root), size);
    EXPECT_EQ(content(root, 0, start.size()), start);
    EXPECT_EQ(content(root, (20 * mib).bytes(), 8), std::string("\0middle\0", 8));
    EXPECT_EQ(content(root, size - 4, 10), std::string("\0end", 4));
    EXPECT_LT(disks.allocated(root), mib.bytes());
    struct stat status {};
    ASSERT_EQ(::stat(root.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(DisksTest, ACopyTakesAllOfADiskThatHasNoHolesOrNothingElse)
{
    const auto image = folder.path / "image";
    std::string full((40 * mib).bytes(), '\0');
    for (std::size_t i = 0; i < full.size(); i += 1000) {
        full[i] = static_cast<char>(i / 1000);
    }
    make_sparse(image, full.size(), {{0, full}});
    clone_or_copy(image, folder.path / "copy", {});
    EXPECT_TRUE(content(folder.path / "copy", 0, full.size() + 1) == full);
    make_sparse(folder.path / "empty", gib.bytes(), {});
    clone_or_copy(folder.path / "empty", folder.path / "empty copy", {});
    EXPECT_EQ(fs::file_size(folder.path / "empty copy"), gib.bytes());
    EXPECT_LT(allocated_bytes(folder.path / "empty copy"), mib.bytes());
}

TEST_F(DisksTest, ADiskThatIsThereIsNotReplaced)
{
    const auto image = folder.path / "image";
    make_sparse(image, 10, {{0, "new"}});
    make_sparse(folder.path / vm_folder::root_disk, 3, {{0, "old"}});
    EXPECT_THROW(disks.make_root(image, folder.path, {}), Error);
    EXPECT_EQ(content(folder.path / vm_folder::root_disk, 0, 10), "old");
    EXPECT_THROW(disks.make_work(folder.path / "nowhere", mib), Error);
}

TEST_F(DisksTest, AnImageThatIsGoneLeavesNothing)
{
    try {
        disks.make_root(folder.path / "image", folder.path, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
    }
    EXPECT_TRUE(fs::is_empty(folder.path));
}

TEST_F(DisksTest, ACancelledCopyLeavesNothing)
{
    const auto run = test::on_small_disk((64 * mib).bytes(), [](const fs::path& disk) {  // tmpfs shares no blocks
        std::stop_source stop;
        stop.request_stop();
        make_sparse(disk / "image", (32 * mib).bytes(), {{0, std::string(100'000, 'x')}});
        try {
            FileDisks{disk / "none" / "kept"}.make_root(disk / "image", disk, stop.get_token());
            return 1;
        } catch (const Error& error) {
            return error.code() == ErrorCode::Cancelled && !fs::exists(disk / vm_folder::root_disk) ? 0 : 2;
        }
    });
    if (!run) {
        GTEST_SKIP() << no_namespace;
    }
    EXPECT_EQ(run, 0);
}

TEST_F(DisksTest, AFullDiskIsSaidWithBothNumbersAndNothingIsLeft)
{
    const auto run = test::on_small_disk((8 * mib).bytes(), [](const fs::path& disk) {
        make_sparse(disk / "image", (64 * mib).bytes(), {{mib.bytes(), std::string((5 * mib).bytes(), 'x')}});
        try {
            FileDisks{disk / "none" / "kept"}.make_root(disk / "image", disk, {});
            return 1;
        } catch (const Error& error) {
            const std::string text = error.what();
            std::fprintf(stderr, "%s\n", error.what());
            const bool said = text.find("needs 5M") != std::string::npos && text.find("is free") != std::string::npos;
            const bool kept = fs::exists(disk / vm_folder::root_disk);
            return error.code() == ErrorCode::NoSpace && said && !kept ? 0 : 2;
        }
    });
    if (!run) {
        GTEST_SKIP() << no_namespace;
    }
    EXPECT_EQ(run, 0);
}

TEST_F(DisksTest, AWorkDiskIsAnEmptyExt4OfThatSizeThatRootOwns)
{
    disks.make_work(folder.path, 2 * gib);
    const auto file = folder.path / vm_folder::work_disk;
    EXPECT_EQ(fs::file_size(file), (2 * gib).bytes());
    EXPECT_LT(disks.allocated(file), (64 * mib).bytes());
    const auto super = ask({"dumpe2fs", "-h"});
    EXPECT_THAT(super, HasSubstr("Block count:              524288\n"));
    EXPECT_THAT(super, HasSubstr("Filesystem volume name:   work\n"));
    EXPECT_THAT(super, HasSubstr("Reserved block count:     0\n"));
    EXPECT_THAT(super, HasSubstr(" extent "));
    const auto root = ask({"debugfs", "-R", "stat <2>"});
    EXPECT_THAT(root, ::testing::ContainsRegex("User: +0 +Group: +0 "));
    // 11 inodes are ext4's own; Debian 13's mke2fs adds an orphan file.
    EXPECT_THAT(ask({"e2fsck", "-fn"}), ::testing::ContainsRegex("work: 1[12]/"));
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

/// One that mke2fs has made has an UUID of its own; a copy has not.
std::string uuid_in(const std::string& super)
{
    const auto at = super.find("Filesystem UUID:");
    return super.substr(at, super.find('\n', at) - at);
}

TEST_F(DisksTest, TheNextWorkDiskOfThatSizeIsACopy)
{
    std::vector<std::string> ids;
    for (const auto size : {2 * gib, 2 * gib, 3 * gib, 3 * gib, 2 * gib}) {
        disks.make_work(folder.path, size);
        EXPECT_EQ(fs::file_size(folder.path / vm_folder::work_disk), size.bytes());
        EXPECT_THAT(ask({"e2fsck", "-fn"}), ::testing::ContainsRegex("work: 1[12]/"));
        ids.push_back(uuid_in(ask({"dumpe2fs", "-h"})));
        fs::remove(folder.path / vm_folder::work_disk);
    }
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_NE(ids[1], ids[2]);
    EXPECT_EQ(ids[2], ids[3]);
    EXPECT_NE(ids[0], ids[4]) << "one is kept";
    EXPECT_EQ(std::distance(fs::directory_iterator{cache.path}, {}), 1);
}

TEST_F(DisksTest, WhatACopyThatWasKilledHasLeftGoesAtTheNextStart)
{
    std::ofstream{cache.path / "work-disk.img"} << "kept";
    std::ofstream{cache.path / "work-disk.img.abc"} << "half";
    std::ofstream{cache.path / "other"} << "other";
    const FileDisks next{cache.path / "work-disk.img"};
    EXPECT_TRUE(fs::exists(cache.path / "work-disk.img") && fs::exists(cache.path / "other"));
    EXPECT_FALSE(fs::exists(cache.path / "work-disk.img.abc"));
}

TEST_F(DisksTest, AWorkDiskLargerThanTheFileSystemIsRefusedAndAFullOneIsSaid)
{
    const auto run = test::on_small_disk((8 * mib).bytes(), [](const fs::path& disk) {
        const auto code_of = [&](ByteSize size) {
            try {
                FileDisks{disk / "none" / "kept"}.make_work(disk, size);
                return std::optional<ErrorCode>{};
            } catch (const Error& error) {
                std::fprintf(stderr, "%s\n", error.what());
                return std::optional{error.code()};
            }
        };
        if (code_of(16 * mib) != ErrorCode::InvalidArgument) {
            return 1;
        }
        std::ofstream{disk / "rest"} << std::string((8 * mib).bytes(), 'x');
        if (code_of(8 * mib) != ErrorCode::NoSpace) {
            return 2;
        }
        return fs::exists(disk / vm_folder::work_disk) ? 3 : 0;
    });
    if (!run) {
        GTEST_SKIP() << no_namespace;
    }
    EXPECT_EQ(run, 0);
}

class GrowingTest : public DisksTest {
protected:
    GrowingTest()
    {
        disks.make_work(folder.path, 64 * mib);
        std::ofstream{folder.path / vm_folder::root_disk} << "root";
        std::ofstream{cache.path / "content"} << std::string(100'000, 'x');
        ask({"debugfs", "-w", "-R", "write " + (cache.path / "content").string() + " kept"});
    }
    std::string whole() const { return content(disk, 0, fs::file_size(disk)); }
    Error refusal(ByteSize size, const std::stop_token& stop = {})
    {
        try {
            disks.grow_work(folder.path, size, stop);
        } catch (const Error& error) {
            return error;
        }
        return Error{ErrorCode::Internal, "it grew"};
    }
    void expect_nothing_left() const
    {
        EXPECT_EQ(std::distance(fs::directory_iterator{folder.path}, {}), 2) << "the disks alone";
    }

    fs::path disk{folder.path / vm_folder::work_disk};
};

TEST_F(GrowingTest, ADiskGrowsWithItsFileSystemAndKeepsWhatIsInIt)
{
    disks.grow_work(folder.path, 256 * mib, {});
    EXPECT_EQ(fs::file_size(disk), (256 * mib).bytes());
    EXPECT_LT(disks.allocated(disk), (32 * mib).bytes()) << "still sparse";
    EXPECT_THAT(ask({"dumpe2fs", "-h"}), ::testing::ContainsRegex("Block count: +(65536|262144)\n"));
    EXPECT_THAT(ask({"e2fsck", "-fn"}), HasSubstr("work: "));
    ask({"debugfs", "-R", "dump kept " + (cache.path / "again").string()});
    EXPECT_EQ(content(cache.path / "again", 0, 200'000), std::string(100'000, 'x'));
    expect_nothing_left();
}

TEST_F(GrowingTest, ItNeverShrinks)
{
    const auto before = whole();
    const auto error = refusal(32 * mib);
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("can't shrink to 32M"));
    EXPECT_EQ(whole(), before);
}

TEST_F(GrowingTest, DamageIsSaidWithTheCommandThatMendsItAndNotTouched)
{
    ask({"debugfs", "-w", "-R", "clri <2>"});  // the top folder
    const auto before = whole();
    const auto error = refusal(256 * mib);
    EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    EXPECT_THAT(error.what(), HasSubstr("e2fsck -f " + disk.string()));
    EXPECT_EQ(whole(), before);
    expect_nothing_left();
}

TEST_F(GrowingTest, DamageThatE2fsckWouldMendByItselfIsSaidAndNotTouchedEither)
{
    ask({"debugfs", "-w", "-R", "set_inode_field kept blocks 999"});
    const auto before = whole();
    const auto error = refusal(256 * mib);
    EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("e2fsck -f " + disk.string()));
    EXPECT_THAT(error.what(), HasSubstr("i_blocks is 999"));
    EXPECT_EQ(whole(), before);
    expect_nothing_left();
}

TEST_F(GrowingTest, DamageThatAKernelHasNotedIsSaid)
{
    ask({"debugfs", "-w", "-R", "set_super_value state 2"});
    const auto before = whole();
    const auto error = refusal(256 * mib);
    EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
    EXPECT_EQ(whole(), before);
    expect_nothing_left();
}

TEST_F(GrowingTest, ADiskThatWasNotUnmountedInOrderIsNoDamage)
{
    ask({"debugfs", "-w", "-R", "set_super_value state 0"});
    disks.grow_work(folder.path, 256 * mib, {});
    EXPECT_EQ(fs::file_size(disk), (256 * mib).bytes());
    EXPECT_THAT(ask({"e2fsck", "-fn"}), HasSubstr("work: "));
}

TEST_F(GrowingTest, WhatIsNoFileSystemIsLeftAlone)
{
    std::ofstream{disk} << std::string(1'000'000, 'y');
    const auto error = refusal(256 * mib);
    EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
    EXPECT_EQ(whole(), std::string(1'000'000, 'y'));
    expect_nothing_left();
}

TEST_F(GrowingTest, OneThatIsCancelledLeavesTheDiskAsItWas)
{
    std::stop_source stop;
    stop.request_stop();
    const auto before = whole();
    EXPECT_EQ(refusal(256 * mib, stop.get_token()).code(), ErrorCode::Cancelled);
    EXPECT_EQ(whole(), before);
    expect_nothing_left();
}

TEST_F(GrowingTest, AnEndlessCheckIsCancelled)
{
    const std::string usual_path = std::getenv("PATH");
    const auto script = cache.path / "e2fsck";
    std::ofstream{script} << "#!/bin/sh\ntouch " << (cache.path / "began").string() << "\nexec sleep 60\n";
    fs::permissions(script, fs::perms::owner_all);
    ::setenv("PATH", (cache.path.string() + ":" + usual_path).c_str(), 1);
    std::stop_source stop;
    const std::jthread impatient{[&] {
        for (int i = 0; i < 3'000 && !fs::exists(cache.path / "began"); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
        stop.request_stop();
    }};
    const auto before = whole();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(refusal(256 * mib, stop.get_token()).code(), ErrorCode::Cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{50});
    ::setenv("PATH", usual_path.c_str(), 1);
    EXPECT_EQ(whole(), before);
    expect_nothing_left();
}

TEST_F(DisksTest, AHostDiskThatFillsWhileAWorkDiskGrowsHarmsNothing)
{
    const auto run = test::on_small_disk((48 * mib).bytes(), [](const fs::path& host) {
        FileDisks small{host / "none" / "kept"};
        small.make_work(host, 24 * mib);
        const auto work = (host / vm_folder::work_disk).string();
        const auto runs = [&](std::vector<std::string> argv) {
            argv[0] = find_program(argv[0]).string();
            argv.push_back(work);
            return run_program({.argv = argv}).ok();
        };
        std::ofstream{host / "rest"} << std::string((12 * mib).bytes(), 'x');
        if (!runs({"debugfs", "-w", "-R", "write " + (host / "rest").string() + " kept"})) {
            return 1;
        }
        std::ofstream{host / "rest", std::ios::app} << std::string((20 * mib).bytes(), 'x');
        try {
            small.grow_work(host, 40 * mib, {});
            return 2;
        } catch (const Error& error) {
            std::fprintf(stderr, "%s\n", error.what());
            if (error.code() != ErrorCode::NoSpace) {
                return 3;
            }
        }
        const bool left = fs::exists(host / vm_folder::larger_work_disk);
        return fs::file_size(work) == (24 * mib).bytes() && !left && runs({"e2fsck", "-fn"}) ? 0 : 4;
    });
    if (!run) {
        GTEST_SKIP() << no_namespace;
    }
    EXPECT_EQ(run, 0);
}

TEST_F(DisksTest, AFileThatIsNotThereTakesNothing) { EXPECT_EQ(disks.allocated(folder.path / "none"), 0U); }

}  // namespace
}  // namespace banger::agent
