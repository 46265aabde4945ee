// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/disk_taking.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "agent/system/image/debian.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

std::uint64_t size_of_disk(int fd, const struct stat& status)
{
    std::uint64_t bytes = 0;
    if (S_ISBLK(status.st_mode)) {
        return ::ioctl(fd, BLKGETSIZE64, &bytes) == 0 ? bytes : 0;
    }
    return static_cast<std::uint64_t>(status.st_size);
}

std::vector<std::uint8_t> head_of(int fd)
{
    std::vector<std::uint8_t> head(disk_head_size);
    std::size_t filled = 0;
    while (filled < head.size()) {
        const auto got = ::pread(fd, head.data() + filled, head.size() - filled, static_cast<off_t>(filled));
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            break;
        }
        filled += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    head.resize(filled);
    return head;
}

}  // namespace

DiskFacts look_at_disk(const std::filesystem::path& disk)
{
    // Not blocking, as opening a FIFO would.
    const UniqueFd fd{::open(disk.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) < 0) {
        throw errno_error("can't read " + disk.string(), errno);
    }
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
        throw Error{ErrorCode::InvalidArgument,
                    disk.string() + (S_ISDIR(status.st_mode) ? " is a folder; mke2fs -t ext4 -d " + disk.string() +
                                                                   " root.ext4 16G makes an ext4 of it"
                                                             : " is neither a file nor a disk")};
    }
    return examine_disk(head_of(fd.get()), size_of_disk(fd.get(), status), disk.string());
}

DiskFacts check_clean_disk(const std::filesystem::path& disk)
{
    const auto facts = look_at_disk(disk);
    if (!facts.is_clean) {
        throw Error{
            ErrorCode::InvalidArgument,
            disk.string() + " was not unmounted in order, or has errors; e2fsck -f -p " + disk.string() + " mends it"};
    }
    return facts;
}

void copy_used_blocks(const std::filesystem::path& disk, const std::filesystem::path& target,
                      const std::filesystem::path& log, const MakingProgress& progress)
{
    if (!look_at_disk(disk).is_clean) {
        progress.stage("checking the file system");
        // e2fsck(8): 0 is clean, 1 mended; more is for people.
        const auto checked = run_program(
            {.argv = {find_program("e2fsck").string(), "-f", "-p", disk.string()}, .log = log, .stop = progress.stop});
        if (checked.exit_code != 0 && checked.exit_code != 1) {
            throw Error{ErrorCode::CorruptData, "the disk's file system has errors; e2fsck -f " + disk.string() +
                                                    " mends them: " + checked.tail};
        }
    }
    progress.stage("copying the disk");
    run_step("copying the disk", {find_program("e2image").string(), "-ra", disk.string(), target.string()}, log,
             progress);
}

}  // namespace banger::agent
