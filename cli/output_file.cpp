// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output_file.hpp"

#include "common/error.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::cli {
namespace {

constexpr mode_t owner_only = 0600;

Error is_there_already(const std::filesystem::path& path)
{
    return Error{ErrorCode::AlreadyExists, path.string() + " exists already; -f replaces it"};
}

Error cant_make(const std::filesystem::path& path) { return errno_error("can't make " + path.string(), errno); }

/// A draft is locked by whoever writes it: the program, and bangerd, to which it was lent.
void remove_dead_draft(const std::filesystem::path& draft, const std::filesystem::path& path)
{
    const UniqueFd old{::open(draft.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (old && ::flock(old.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        throw Error{ErrorCode::InUse, path.string() + " is being written already; wait for that, or name another file"};
    }
    ::unlink(draft.c_str());  // of one that was killed; a file of somebody else's is not written to
}

/// Nobody can have taken it before.
std::string random_name()
{
    std::random_device chance;
    return ".banger-" + std::to_string((std::uint64_t{chance()} << 32U) | chance()) + ".new";
}

/// Takes nobody's place, which a rename by itself does. Not all file systems have both: NFS knows no such rename, FAT no second name of a file.
void move_to_free_place(const std::filesystem::path& from, const std::filesystem::path& path)
{
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
        return;
    }
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
        if (::link(from.c_str(), path.c_str()) == 0) {
            ::unlink(from.c_str());
            return;
        }
    }
    throw errno == EEXIST ? is_there_already(path) : cant_make(path);
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& path, Existing existing)
    : path_{std::filesystem::absolute(
          path)},  // not made shorter: what .. leads to behind a link is the kernel's to say
      draft_{path_.parent_path() / ("." + path_.filename().string() + ".new")},
      existing_{existing}
{
    struct stat status {};
    const bool is_there = ::stat(path_.c_str(), &status) == 0;
    if (path_.filename().empty() || (is_there && !S_ISREG(status.st_mode))) {
        throw Error{ErrorCode::InvalidArgument,
                    path.string() + " is no regular file; -o - writes to standard output, which may lead there"};
    }
    if (is_there && existing_ == Existing::Refuse) {
        throw is_there_already(path_);
    }
    file_ = UniqueFd{::open(path_.parent_path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, owner_only)};
    if (!file_) {
        remove_dead_draft(draft_, path_);
        file_ = UniqueFd{::open(draft_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, owner_only)};
        is_named_ = static_cast<bool>(file_);
    }
    if (!file_) {
        throw cant_make(path_);
    }
    if (is_named_) {
        ::flock(file_.get(), LOCK_EX | LOCK_NB);  // where there are no locks, it goes without
    }
}

OutputFile::~OutputFile()
{
    if (is_named_) {
        ::unlink(draft_.c_str());
    }
}

void OutputFile::give_name(const std::filesystem::path& name) const
{
    const auto unnamed = "/proc/self/fd/" + std::to_string(file_.get());
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) < 0) {
        throw errno == EEXIST ? is_there_already(name) : cant_make(path_);
    }
}

void OutputFile::commit()
{
    if (::fsync(file_.get()) < 0) {
        throw errno_error("can't write " + path_.string(), errno);
    }
    if (existing_ == Existing::Refuse) {
        is_named_ ? move_to_free_place(draft_, path_) : give_name(path_);
    } else {
        if (!is_named_) {
            draft_ = path_.parent_path() / random_name();
            give_name(draft_);
            is_named_ = true;
        }
        if (::rename(draft_.c_str(), path_.c_str()) < 0) {
            throw cant_make(path_);
        }
    }
    is_named_ = false;
    const UniqueFd folder{::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder) {
        ::fsync(folder.get());
    }
}

}  // namespace banger::cli
