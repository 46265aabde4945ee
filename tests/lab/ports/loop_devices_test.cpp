// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/lab/ports/support.hpp"

namespace banger::broker::test {
namespace {

/// R20's, as the package brings it.
constexpr auto rule =
    R"(SUBSYSTEM=="block", KERNEL=="loop*", TEST=="/run/banger-broker/loops/%k", )"
    R"(ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1", ENV{UDISKS_IGNORE}="1", OPTIONS+="nowatch")";

std::string name_of(const Loop& loop) { return "loop" + std::to_string(loop.device.minor); }
bool is_bound(const std::string& name) { return exists("/sys/block/" + name + "/loop"); }

class LoopPort : public ::testing::Test {
public:
    LoopPort()
    {
        must("mkdir -p /run/udev/rules.d");
        std::ofstream{"/run/udev/rules.d/59-banger-loops.rules"} << rule << "\n";
        must("udevadm control --reload");
        must("truncate -s 8M " + path + " && mke2fs -q -L loop-label " + path);
        file = UniqueFd{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
    }
    ~LoopPort() override { must("rm /run/udev/rules.d/59-banger-loops.rules && udevadm control --reload"); }

    Loop attach(LoopDevices::Access access = LoopDevices::Access::ReadWrite)
    {
        return loops.attach(file.get(), access, "banger-1000-loop");
    }

    TemporaryFolder folder;
    std::string path{folder.path / "file"};
    UniqueFd file;
    LoopIoctl loops{marks};
};

TEST_F(LoopPort, ALoopIsAsItWasAskedForAndGoesWithItsDescriptor)
{
    auto loop = attach();
    const auto name = name_of(loop);
    EXPECT_EQ(must("blockdev --getsize64 /dev/" + name), "8388608\n");
    EXPECT_EQ(must("blockdev --getro /dev/" + name), "0\n");
    EXPECT_EQ(must("cat /sys/block/" + name + "/loop/autoclear /sys/block/" + name + "/loop/partscan"), "1\n0\n");
    EXPECT_TRUE(exists(marks + "/" + name));
    loop.descriptor.reset();
    EXPECT_TRUE(eventually([&] { return !is_bound(name); }));
    loops.sweep();
    EXPECT_FALSE(exists(marks + "/" + name));
}

TEST_F(LoopPort, AReadOnlyOneCannotBeWritten)
{
    const auto loop = attach(LoopDevices::Access::ReadOnly);
    EXPECT_EQ(must("blockdev --getro /dev/" + name_of(loop)), "1\n");
    EXPECT_NE(shell("dd if=/dev/zero of=/dev/" + name_of(loop) + " bs=512 count=1 conv=fsync").code, 0);
}

TEST_F(LoopPort, AKilledBrokerLeavesNone)
{
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const auto child = ::fork();
    if (child == 0) {
        const auto loop = attach();
        (void)!::write(pipe[1], &loop.device.minor, sizeof loop.device.minor);
        ::pause();
    }
    unsigned minor = 0;
    ASSERT_EQ(::read(pipe[0], &minor, sizeof minor), static_cast<ssize_t>(sizeof minor));
    const auto name = "loop" + std::to_string(minor);
    EXPECT_TRUE(is_bound(name));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(eventually([&] { return !is_bound(name); }));
    LoopIoctl{marks};
    EXPECT_FALSE(exists(marks + "/" + name));
}

TEST_F(LoopPort, ADeviceMapperTableHoldsItAlone)
{
    Disk disk{key("alone")};
    disk.create();
    const auto name = name_of(disk.cow);
    disk.cow.descriptor.reset();
    disk.base.descriptor.reset();
    must("udevadm settle");
    EXPECT_TRUE(is_bound(name));
    disk.dm.remove(disk.name);
    EXPECT_TRUE(eventually([&] { return !is_bound(name); }));
}

TEST_F(LoopPort, R20UdevMakesNoLinkByWhatAClientHasWritten)
{
    auto loop = attach();
    must("udevadm settle");
    EXPECT_FALSE(exists("/dev/disk/by-label/loop-label"));
    must("udevadm trigger --settle /dev/" + name_of(loop));
    EXPECT_FALSE(exists("/dev/disk/by-label/loop-label"));
    const auto name = name_of(loop);
    loop.descriptor.reset();
    ASSERT_TRUE(eventually([&] { return !is_bound(name); }));
    loops.sweep();
    // What would be seen if it did.
    const auto stranger = must("losetup --find --show " + path);
    EXPECT_TRUE(eventually([] { return exists("/dev/disk/by-label/loop-label"); }));
    must("losetup -d " + stranger);
}

TEST_F(LoopPort, AMarkOfAStrangersLoopIsRemoved)
{
    const auto stranger = must("losetup --find --show " + path + " | tr -d '\\n'");
    must("touch " + marks + "/" + stranger.substr(5));
    const auto ours = attach();
    EXPECT_FALSE(exists(marks + "/" + stranger.substr(5)));
    EXPECT_TRUE(exists(marks + "/" + name_of(ours)));
    must("losetup -d " + stranger);
}

TEST_F(LoopPort, ALoopOverABrokenFileSystemKeepsItsMarkAndFailsNobody)
{
    const auto disk = (folder.path / "xfs").string();
    const auto mounted = (folder.path / "mounted").string();
    must("truncate -s 512M " + disk + " && mkfs.xfs -q " + disk + " && mkdir " + mounted + " && mount -o loop " + disk +
         " " + mounted + " && truncate -s 1M " + mounted + "/file");
    UniqueFd broken{::open((mounted + "/file").c_str(), O_RDWR | O_CLOEXEC)};
    auto loop = loops.attach(broken.get(), LoopDevices::Access::ReadWrite, "banger-1000-broken");
    const auto mark = marks + "/" + name_of(loop);
    must("xfs_io -x -c shutdown " + mounted);
    EXPECT_NE(shell("stat " + mounted + "/file").code, 0);
    EXPECT_FALSE(code_of([&] { loops.sweep(); }));
    EXPECT_FALSE(code_of([] { LoopIoctl{marks}; })) << "a broker's start";
    EXPECT_TRUE(exists(mark));
    const auto name = name_of(attach());
    loop.descriptor.reset();
    broken.reset();
    EXPECT_TRUE(eventually([&] { return shell("umount " + mounted).code == 0; }));
    loops.sweep();
    EXPECT_FALSE(exists(mark)) << name;
}

TEST_F(LoopPort, RefreshingShowsTheNewLengthOfThisFileAlone)
{
    const auto loop = attach();
    must("truncate -s 12M " + path);
    const UniqueFd other{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)};
    EXPECT_EQ(code_of([&] { loops.refresh(loop.device, other.get()); }), ErrorCode::NotFound);
    EXPECT_EQ(must("blockdev --getsize64 /dev/" + name_of(loop)), "8388608\n");
    loops.refresh(loop.device, file.get());
    EXPECT_EQ(must("blockdev --getsize64 /dev/" + name_of(loop)), "12582912\n");
    EXPECT_EQ(code_of([&] { loops.refresh({7, 4000}, file.get()); }), ErrorCode::NotFound);
}

}  // namespace
}  // namespace banger::broker::test
