// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/artifact_draft.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "agent/system/image/user_namespace.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

void sync_to_disk(const std::filesystem::path& path)
{
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) < 0) {
        throw errno_error("can't write " + path.string(), errno);
    }
}

bool discard_draft(const std::filesystem::path& folder) noexcept
{
    const UniqueFd there{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (there && ::flock(there.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
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
        lock_ = UniqueFd{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    }
    if (!is_free || !lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) < 0) {
        throw Error{ErrorCode::InUse, "another bangerd of yours makes " + folder_.string() + "; wait for it"};
    }
    std::filesystem::create_directories(scratch());
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
