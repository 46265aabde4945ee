// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/artifact_draft.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/system/image/user_namespace.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

/// The folder at that place, locked: one that was removed meanwhile, and made anew by somebody else, is another, which a lock on the old one says nothing
/// of. Negative: there is none, or somebody has it.
UniqueFd lock_folder(const std::filesystem::path& folder)
{
    UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    struct stat held {};
    struct stat there {};
    const bool is_ours = fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && ::fstat(fd.get(), &held) == 0 &&
                         ::stat(folder.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
                         held.st_ino == there.st_ino;
    return is_ours ? std::move(fd) : UniqueFd{};
}

}  // namespace

void sync_to_disk(const std::filesystem::path& path)
{
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) < 0) {
        throw errno_error("can't write " + path.string(), errno);
    }
}

bool discard_draft(const std::filesystem::path& folder) noexcept
{
    std::error_code none;
    const auto lock = lock_folder(folder);
    if (!lock && std::filesystem::is_directory(folder, none)) {
        return false;
    }
    remove_tree(folder);
    return true;
}

ArtifactDraft::ArtifactDraft(const std::filesystem::path& folder) : folder_{folder}
{
    const bool is_free = discard_draft(folder_);
    if (is_free) {
        std::filesystem::create_directories(folder_);
        lock_ = lock_folder(folder_);
    }
    if (!lock_) {
        throw Error{ErrorCode::InUse, "another bangerd of yours makes " + folder_.string() + "; wait for it"};
    }
    Rollback clear;
    clear.add([this] { remove_tree(folder_); });
    std::filesystem::create_directories(scratch());
    clear.commit();
}

ArtifactDraft::~ArtifactDraft()
{
    if (!kept_) {
        remove_tree(folder_);
    }
}

void ArtifactDraft::drop_scratch() const noexcept { remove_tree(scratch()); }

void ArtifactDraft::keep()
{
    using std::filesystem::perms;
    drop_scratch();
    for (const auto& entry : std::filesystem::directory_iterator{folder_}) {
        std::filesystem::permissions(entry.path(), perms::owner_read | perms::group_read | perms::others_read);
        sync_to_disk(entry.path());
    }
    sync_to_disk(folder_);
    kept_ = true;
}

}  // namespace banger::agent
