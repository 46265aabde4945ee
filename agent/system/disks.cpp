// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/disks.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/disk_mending.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t copy_step = std::size_t{16} << 20U;  // between two looks at the stop token

UniqueFd make_file(const std::filesystem::path& path)
{
    UniqueFd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!fd) {
        throw errno_error("can't make " + path.string(), errno);
    }
    return fd;
}

std::string free_in(const std::filesystem::path& folder)
{
    struct statvfs status {};
    if (::statvfs(folder.c_str(), &status) != 0) {
        return "an unknown amount";
    }
    return ByteSize{std::max<std::uint64_t>(1, std::uint64_t{status.f_bavail} * status.f_frsize)}.to_string();
}

[[noreturn]] void fail(const std::filesystem::path& from, const std::filesystem::path& to, int problem)
{
    if (problem == ENOSPC || problem == EDQUOT) {
        throw Error{ErrorCode::NoSpace, "the disk is full: a copy of " + from.string() + " needs " +
                                            ByteSize{allocated_bytes(from)}.to_string() + ", and " +
                                            free_in(to.parent_path()) + " is free in " + to.parent_path().string() +
                                            "; banger vm delete makes room"};
    }
    throw errno_error("can't copy " + from.string() + " to " + to.string(), problem);
}

/// By way of our memory.
ssize_t copy_through(int from, off_t& in, int to, off_t& out, std::size_t limit)
{
    static thread_local std::array<char, (256 * kib).bytes()> buffer;
    const auto got = ::pread(from, buffer.data(), std::min(limit, buffer.size()), in);
    ssize_t done = 0;
    while (done < got) {
        const auto written = ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done), out);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        done += std::max<ssize_t>(written, 0);
        out += std::max<ssize_t>(written, 0);
    }
    in += done;
    return got;
}

/// One run of data: by copy_file_range, or by reading where the file systems differ or can't (EXDEV and the others of
/// copy_file_range(2); from ext4 to tmpfs it is EXDEV on Linux 6.1).
void copy_range(int from, int to, off_t begin, off_t end, const std::stop_token& stop)
{
    off_t in = begin;
    off_t out = begin;
    bool in_kernel = true;
    while (in < end) {
        if (stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
        const auto step = std::min(static_cast<std::size_t>(end - in), copy_step);
        const auto copied =
            in_kernel ? ::copy_file_range(from, &in, to, &out, step, 0) : copy_through(from, in, to, out, step);
        if (copied < 0 && in_kernel && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
            in_kernel = false;
        } else if (copied < 0 && errno != EINTR) {
            throw errno_error("copy", errno);
        } else if (copied == 0) {
            throw Error{ErrorCode::Failed, "the source became shorter while it was copied"};
        }
    }
}

void copy_sparse(int from, int to, off_t size, const std::stop_token& stop)
{
    off_t at = 0;
    while (at < size) {
        const off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;  // only a hole is left
        }
        const off_t hole = data < 0 ? -1 : ::lseek(from, data, SEEK_HOLE);
        if (hole < 0) {
            throw errno_error("copy", errno);
        }
        copy_range(from, to, data, hole, stop);
        at = hole;
    }
}

/// A sparse disk may promise more than is free now, but not more than there ever can be.
void refuse_larger_than_file_system(const std::filesystem::path& folder, ByteSize size)
{
    struct statvfs status {};
    const bool known = ::statvfs(folder.c_str(), &status) == 0;
    const ByteSize whole{std::uint64_t{status.f_blocks} * status.f_frsize};
    if (known && size > whole) {
        throw Error{ErrorCode::InvalidArgument, "a disk of " + size.to_string() + " does not fit: the file system of " +
                                                    folder.string() + " has " + whole.to_string() +
                                                    " in all; choose a smaller --disk-size"};
    }
}

}  // namespace

std::uint64_t allocated_bytes(const std::filesystem::path& file) noexcept
{
    constexpr std::uint64_t block = 512;  // stat(2): st_blocks
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * block : 0;
}

void clone_or_copy(const std::filesystem::path& from, const std::filesystem::path& to, const std::stop_token& stop)
{
    const UniqueFd source{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status {};
    if (!source || ::fstat(source.get(), &status) < 0) {
        throw errno_error("can't open " + from.string(), errno);
    }
    const UniqueFd target = make_file(to);
    Rollback rollback;
    rollback.add([&to] { std::filesystem::remove(to); });
    if (::ioctl(target.get(), FICLONE, source.get()) != 0) {
        if (::ftruncate(target.get(), status.st_size) < 0) {
            fail(from, to, errno);
        }
        try {
            copy_sparse(source.get(), target.get(), status.st_size, stop);
        } catch (const Error& error) {
            if (error.cause()) {
                fail(from, to, error.cause()->value());
            }
            throw;
        }
    }
    rollback.commit();
}

FileDisks::FileDisks(std::filesystem::path kept, Confine confine) : kept_{std::move(kept)}, confine_{std::move(confine)}
{
    std::error_code none;  // what a SIGKILL has left; a folder that isn't there yet has nothing
    std::filesystem::directory_iterator at{kept_.parent_path(), none};
    for (; at != std::filesystem::directory_iterator{}; at.increment(none)) {
        if (at->path().stem() == kept_.filename()) {
            std::filesystem::remove(at->path(), none);
        }
    }
}

void FileDisks::make_root(const std::filesystem::path& image, const std::filesystem::path& folder,
                          const std::stop_token& stop)
{
    clone_or_copy(image, folder / vm_folder::root_disk, stop);
}

void FileDisks::make_work(const std::filesystem::path& folder, ByteSize size)
{
    const auto path = folder / vm_folder::work_disk;
    refuse_larger_than_file_system(folder, size);
    if (copy_kept(path, size)) {
        return;
    }
    Rollback rollback;
    rollback.add([&path] { std::filesystem::remove(path); });
    {
        const UniqueFd file = make_file(path);
        if (::ftruncate(file.get(), static_cast<off_t>(size.bytes())) < 0) {
            throw errno_error("can't make a disk of " + size.to_string() + " in " + folder.string(), errno,
                              errno == EFBIG ? ErrorCode::InvalidArgument : ErrorCode::Failed);
        }
    }
    // Lazy tables and no discard: 10 ms and 4 MB for 16 GiB, measured. Other options want another name of the disk that is kept (main.cpp).
    const auto made =
        run_program({.argv = {find_program("mke2fs").string(), "-q", "-F", "-t", "ext4", "-m", "0", "-L", "work", "-E",
                              "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", path.string()}});
    if (!made.ok()) {
        const bool full = made.tail.find("No space left") != std::string::npos;
        throw Error{full ? ErrorCode::NoSpace : ErrorCode::Failed, "the work disk can't be made: " + made.tail};
    }
    rollback.commit();
    keep(path);
}

/// False: there is none of this size, and nothing at `path`.
bool FileDisks::copy_kept(const std::filesystem::path& path, ByteSize size) const
{
    std::error_code problem;
    if (std::filesystem::file_size(kept_, problem) != size.bytes() || problem) {
        return false;
    }
    try {
        clone_or_copy(kept_, path, {});
    } catch (const Error&) {
        return false;  // mke2fs has the better words for what is wrong with the folder
    }
    if (std::filesystem::file_size(path, problem) == size.bytes() && !problem) {
        return true;
    }
    std::filesystem::remove(path, problem);  // another bangerd kept one of another size meanwhile
    return false;
}

/// Whole and on the disk before it has its name, as a power cut must not leave half a file system to copy from.
void FileDisks::keep(const std::filesystem::path& path) const noexcept
{
    std::error_code problem;
    const auto draft = kept_.string() + "." + path.parent_path().filename().string();
    try {
        clone_or_copy(path, draft, {});
        const UniqueFd file{::open(draft.c_str(), O_RDONLY | O_CLOEXEC)};
        if (file && ::fsync(file.get()) == 0) {
            std::filesystem::rename(draft, kept_, problem);
        }
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the next one is made, not copied
    }
    std::filesystem::remove(draft, problem);
}

void FileDisks::grow_work(const std::filesystem::path& folder, ByteSize size, const std::stop_token& stop)
{
    const auto path = folder / vm_folder::work_disk;
    refuse_larger_than_file_system(folder, size);
    std::error_code problem;
    const ByteSize now{std::filesystem::file_size(path, problem)};
    if (problem || size < now) {
        throw Error{problem ? ErrorCode::NotFound : ErrorCode::InvalidArgument,
                    problem ? path.string() + ": " + problem.message()
                            : "the disk has " + now.to_string() + " and can't shrink to " + size.to_string()};
    }
    find_program("e2fsck");  // what is missing is told before a copy is made that may take its time
    const auto resize2fs = find_program("resize2fs").string();
    // On a copy (free where blocks are shared): a resize2fs that is killed half-way leaves a file system that may be beyond repair.
    const auto larger = folder / vm_folder::larger_work_disk;
    std::filesystem::remove(larger);
    clone_or_copy(path, larger, stop);
    Rollback rollback;
    rollback.add([&larger] { std::filesystem::remove(larger); });
    refuse_damage(larger, path, confine_, stop);
    mend_disk(larger, path, confine_, {}, stop);  // as resize2fs wants it
    if (::truncate(larger.c_str(), static_cast<off_t>(size.bytes())) < 0) {
        throw errno_error("can't make " + path.string() + " larger", errno);
    }
    const std::string name = vm_folder::larger_work_disk;
    const auto grown = run_program(
        {.argv = confined(confine_, {.write = {name}}, {resize2fs, name}), .directory = folder, .stop = stop});
    if (!grown.ok()) {
        const bool full = grown.tail.find("No space left") != std::string::npos;
        throw Error{full ? ErrorCode::NoSpace : ErrorCode::Failed, "the disk can't grow: " + grown.tail};
    }
    const UniqueFd file{::open(larger.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file || ::fsync(file.get()) < 0 || ::rename(larger.c_str(), path.c_str()) < 0) {
        throw errno_error("can't put the larger disk in the place of " + path.string(), errno);
    }
    rollback.commit();
    sync(folder);
}

void FileDisks::sync(const std::filesystem::path& folder)
{
    for (const auto& path : {folder / vm_folder::root_disk, folder / vm_folder::work_disk, folder}) {
        if (std::filesystem::is_symlink(path)) {
            continue;  // the broker's device, empty as yet
        }
        const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file || ::fsync(file.get()) < 0) {
            throw errno_error("can't write " + path.string(), errno);
        }
    }
}

std::uint64_t FileDisks::free_bytes(const std::filesystem::path& folder) const noexcept
{
    struct statvfs status {};
    return ::statvfs(folder.c_str(), &status) == 0 ? std::uint64_t{status.f_bavail} * status.f_frsize : 0;
}

}  // namespace banger::agent
