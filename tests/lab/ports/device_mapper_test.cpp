// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <iterator>

#include "tests/lab/ports/support.hpp"

namespace banger::broker::test {
namespace {

using State = SnapshotStatus::State;

std::string read_node(const std::string& node, off_t at, std::size_t bytes)
{
    const UniqueFd file{::open(node.c_str(), O_RDONLY | O_CLOEXEC)};
    std::string text(bytes, '\0');
    EXPECT_EQ(::pread(file.get(), text.data(), bytes, at), static_cast<ssize_t>(bytes));
    return text;
}

/// A process that writes a block past the page cache, and so waits while the node is held; its exit code is 0 when that was written.
pid_t start_writer(const std::string& node)
{
    const auto child = ::fork();
    if (child == 0) {
        alignas(4096) static std::array<char, 4096> block;
        block.fill('w');
        const int file = ::open(node.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
        ::_exit(::pwrite(file, block.data(), block.size(), 1 << 20) == static_cast<ssize_t>(block.size()) ? 0 : 1);
    }
    return child;
}

int end_of(pid_t child)
{
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_running(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) == 0; }

TEST(DeviceMapperPort, ASnapshotIsMadeSaysHowItIsAndGoes)
{
    Disk disk{key("plain")};
    disk.create();
    EXPECT_EQ(read_node(disk.node(), 0, 4), "1111");
    const auto status = disk.dm.status(disk.name);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->state, State::Active);
    EXPECT_EQ(status->total, Disk::cow_size);
    EXPECT_FALSE(status->held);
    EXPECT_EQ(disk.dm.cow_of(disk.name), disk.cow.device);
    EXPECT_TRUE(eventually([&] { return disk.dm.open_count(disk.name) == 0U; }));
    EXPECT_EQ(disk.dm.list(), std::vector{disk.name});
    EXPECT_EQ(must("dmsetup info --noheadings -c -o uuid banger-1000-plain"), "BANGER-1000-plain\n");
    EXPECT_NE(must("dmsetup table banger-1000-plain").find(" snapshot "), std::string::npos);
    EXPECT_NE(must("dmsetup table banger-1000-plain").find(" PO 8"), std::string::npos);
    EXPECT_EQ(disk.dm.remove(disk.name), Removal::Removed);
    EXPECT_EQ(disk.dm.remove(disk.name), Removal::Absent);
    EXPECT_FALSE(exists(disk.node()));
    EXPECT_FALSE(disk.dm.status(disk.name));
    EXPECT_FALSE(disk.dm.open_count(disk.name));
    EXPECT_TRUE(disk.dm.list().empty());
}

TEST(DeviceMapperPort, NoSemaphoreOfUdevIsLeft)
{
    const auto before = must("dmsetup udevcookies | wc -l");
    Disk disk{key("cookie")};
    disk.create();
    disk.dm.suspend(disk.name);
    disk.dm.resume(disk.name);
    EXPECT_EQ(code_of([&] { disk.create(); }), ErrorCode::InUse);
    disk.dm.remove(disk.name);
    EXPECT_EQ(must("dmsetup udevcookies | wc -l"), before);
}

TEST(DeviceMapperPort, WhatIsWrittenIsInTheCowFileAndAnotherSnapshotOfItHasIt)
{
    Disk disk{key("kept")};
    disk.create();
    must("printf kept | dd of=" + disk.node() + " seek=3 bs=1M conv=notrunc,fsync status=none");
    ASSERT_EQ(disk.dm.remove(disk.name), Removal::Removed);
    disk.create();
    EXPECT_EQ(read_node(disk.node(), 3 << 20, 5), "kept1");
}

TEST(DeviceMapperPort, AHeldDiskLetsAWriterWaitAndResumingLetsItGoOn)
{
    Disk disk{key("held")};
    disk.create();
    disk.dm.suspend(disk.name);
    EXPECT_TRUE(disk.dm.status(disk.name)->held);
    const auto writer = start_writer(disk.node());
    must("udevadm settle");
    EXPECT_TRUE(is_running(writer));
    disk.dm.resume(disk.name);
    EXPECT_GE(end_of(writer), 0) << "by itself: done, or failed where it began after the disk was cut off";
    EXPECT_FALSE(disk.dm.status(disk.name)->held);
    EXPECT_EQ(read_node(disk.node(), 1 << 20, 1), "w");
}

TEST(DeviceMapperPort, RemovingAHeldDiskHangsNobody)
{
    Disk disk{key("held")};
    disk.create();
    disk.dm.suspend(disk.name);
    const auto writer = start_writer(disk.node());
    ASSERT_TRUE(eventually([&] { return disk.dm.open_count(disk.name) == 1U; }));
    (void)disk.dm.remove(disk.name);
    EXPECT_EQ(end_of(writer), 0);
    EXPECT_TRUE(eventually([&] { return !disk.dm.open_count(disk.name); }));
}

TEST(DeviceMapperPort, HoldingWaitsForNothingThatThePageCacheAloneHas)
{
    Disk disk{key("cache")};
    disk.create();
    const auto is_in_cow = [&] {
        std::ifstream file{disk.folder.path / "cow/1000-cache.cow", std::ios::binary};
        const std::string cow{std::istreambuf_iterator<char>{file}, {}};
        return cow.find(std::string(4096, 'p')) != std::string::npos;
    };
    const UniqueFd node{::open(disk.node().c_str(), O_RDWR | O_CLOEXEC)};
    write_all(node.get(), std::string(1U << 16U, 'p'), "the node");
    disk.dm.suspend(disk.name);
    EXPECT_FALSE(is_in_cow());
    disk.dm.resume(disk.name);
    ASSERT_EQ(::fsync(node.get()), 0);
    disk.dm.suspend(disk.name);
    EXPECT_TRUE(is_in_cow()) << "what its owner has synced";
    disk.dm.resume(disk.name);
}

TEST(DeviceMapperPort, ALiveSnapshotTakesALargerFile)
{
    Disk disk{key("grow")};
    disk.create();
    disk.files.grow(disk.name, 8 * mib);
    const auto file = disk.files.open(disk.name);
    EXPECT_EQ(disk.dm.status(disk.name)->total, Disk::cow_size);
    disk.loops.refresh(*disk.dm.cow_of(disk.name), file.get());
    EXPECT_EQ(disk.dm.status(disk.name)->total, 8 * mib);
    must("dd if=/dev/zero of=" + disk.node() + " bs=1M count=6 oflag=direct status=none");
    EXPECT_EQ(disk.dm.status(disk.name)->state, State::Active);
}

TEST(DeviceMapperPort, AFullOneStopsWritesAndAfterGrowingWhatWasWrittenIsThere)
{
    Disk disk{key("full")};
    disk.create();
    EXPECT_NE(shell("dd if=/dev/zero of=" + disk.node() + " bs=1M count=8 oflag=direct status=none").code, 0);
    EXPECT_EQ(disk.dm.status(disk.name)->state, State::Overflow);
    ASSERT_EQ(disk.dm.remove(disk.name), Removal::Removed);
    disk.files.grow(disk.name, 16 * mib);
    const auto file = disk.files.open(disk.name);
    disk.loops.refresh(disk.cow.device, file.get());
    disk.create();
    EXPECT_EQ(disk.dm.status(disk.name)->state, State::Active);
    EXPECT_EQ(read_node(disk.node(), 0, 4), std::string(4, '\0'));
}

TEST(DeviceMapperPort, AnOpenDiskGoesWhenItIsClosedAndCountsAsGoneBefore)
{
    Disk disk{key("busy")};
    disk.create();
    UniqueFd user{::open(disk.node().c_str(), O_RDWR | O_CLOEXEC)};
    std::array<char, 512> block{};
    EXPECT_EQ(::pread(user.get(), block.data(), block.size(), 1 << 20), 512);
    EXPECT_EQ(disk.dm.open_count(disk.name), 1U);
    EXPECT_EQ(disk.dm.remove(disk.name), Removal::Busy);
    EXPECT_LE(::pread(user.get(), block.data(), block.size(), 1 << 20), 0) << "not what was read before, either";
    EXPECT_FALSE(disk.dm.status(disk.name));
    EXPECT_FALSE(disk.dm.cow_of(disk.name));
    EXPECT_TRUE(disk.dm.list().empty());
    EXPECT_EQ(disk.dm.open_count(disk.name), 1U);
    EXPECT_EQ(disk.dm.remove(disk.name), Removal::Busy);
    EXPECT_EQ(code_of([&] { disk.create(); }), ErrorCode::InUse);
    user.reset();
    EXPECT_TRUE(eventually([&] { return !disk.dm.open_count(disk.name) && !exists(disk.node()); }));
    disk.create();
}

TEST(DeviceMapperPort, AStrangersNodeOfThatNameIsNotTouched)
{
    must("dmsetup create banger-1000-strange --uuid SOMEONE-1 --table '0 2048 zero'");
    {
        Disk disk{key("strange")};
        EXPECT_EQ(code_of([&] { disk.create(); }), ErrorCode::AlreadyExists);
        EXPECT_EQ(disk.dm.remove(disk.name), Removal::Absent);
        EXPECT_FALSE(disk.dm.status(disk.name));
        EXPECT_FALSE(disk.dm.open_count(disk.name));
        EXPECT_TRUE(disk.dm.list().empty());
        EXPECT_EQ(code_of([&] { disk.dm.suspend(disk.name); }), ErrorCode::NotFound);
        EXPECT_EQ(code_of([&] { disk.dm.resume(disk.name); }), ErrorCode::NotFound);
    }
    EXPECT_EQ(must("dmsetup info --noheadings -c -o uuid,suspended banger-1000-strange"), "SOMEONE-1:Active\n");
    must("dmsetup remove banger-1000-strange");
}

TEST(DeviceMapperPort, TheLibraryPrintsNothing)
{
    Disk disk{key("quiet")};
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(code_of([&] { disk.dm.create(disk.name, Disk::size, {7, 1000}, {7, 1001})->wait(); }));
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_FALSE(disk.dm.open_count(disk.name));
}

TEST(DeviceMapperPort, NothingProbesTheNode)
{
    Disk disk{key("probe")};
    disk.create();
    must("mke2fs -q -L probed-label " + disk.node() + " && udevadm settle");
    disk.dm.suspend(disk.name);
    disk.dm.resume(disk.name);
    must("udevadm trigger --settle " + disk.node());
    EXPECT_FALSE(exists("/dev/disk/by-label/probed-label"));
    EXPECT_FALSE(exists("/dev/disk/by-id/dm-name-banger-1000-probe"));
}

TEST(DeviceMapperPort, WithoutUdevItSaysSoAndLeavesNothing)
{
    Disk disk{key("noudev")};
    must("systemctl stop systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd.service");
    const auto code = code_of([&] { disk.create(); });
    must("systemctl start systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd.service");
    EXPECT_EQ(code, ErrorCode::HostLacks);
    EXPECT_FALSE(disk.dm.open_count(disk.name));
}

}  // namespace
}  // namespace banger::broker::test
