// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/disk_taking.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/disk_mending.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/debian.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
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

void link_to(const std::filesystem::path& disk, const std::filesystem::path& link)
{
    std::error_code problem;
    const auto real = std::filesystem::canonical(disk, problem);
    if (problem || ::symlink(real.c_str(), link.c_str()) < 0) {
        throw errno_error("can't make a link to " + disk.string(), problem ? problem.value() : errno);
    }
}

void make_empty(const std::filesystem::path& file)
{
    constexpr mode_t own = 0600;
    const UniqueFd made{::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, own)};
    if (!made) {
        throw errno_error("can't make " + file.string(), errno);
    }
}

/// e2image (1.47) leaves zeros out of a file that it makes itself, and writes them into one that is there.
void give_zeros_back(const std::filesystem::path& file, const std::stop_token& stop)
{
    const auto scan = scan_content(file, stop);
    const UniqueFd fd{::open(file.c_str(), O_WRONLY | O_CLOEXEC)};
    std::uint64_t at = 0;
    const auto punch_up_to = [&](std::uint64_t end) {
        // Where the file system has no holes the file is larger, and as right.
        if (end > at &&
            ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at),
                        static_cast<off_t>(end - at)) < 0 &&
            errno != EOPNOTSUPP && errno != EINTR) {
            throw errno_error("can't write " + file.string(), errno);
        }
    };
    for (const auto& range : scan.data) {
        punch_up_to(range.begin);
        at = range.begin + range.size;
    }
    punch_up_to(scan.size);
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
                      const std::filesystem::path& log, const MakingProgress& progress, const Confine& confine)
{
    if (!look_at_disk(disk).is_clean) {
        progress.stage("checking the file system");
        mend_disk(disk, disk, confine, log, progress.stop);
    }
    progress.stage("copying the disk");
    // By names in one folder, as it is confined: a link to the disk, and a target that is there already.
    const auto folder = target.parent_path();
    const std::string source = vm_folder::copied_disk;
    Rollback no_link;
    no_link.add([link = folder / source] { std::filesystem::remove(link); });
    std::filesystem::remove(folder / source);
    link_to(disk, folder / source);
    make_empty(target);
    VmmNeeds needs{.write = {target.filename().string()}};
    (std::filesystem::is_block_file(disk) ? needs.write : needs.read).push_back(source);
    auto argv = confined(confine, needs, {find_program("e2image").string(), "-ra", source, target.filename().string()});
    run_step("copying the disk", std::move(argv), log, progress, {}, {}, folder);
    give_zeros_back(target, progress.stop);
}

}  // namespace banger::agent
