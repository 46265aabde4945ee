// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/artifact_draft.hpp"

#include <fcntl.h>
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

ArtifactDraft::ArtifactDraft(const std::filesystem::path& folder) : folder_{folder}
{
    remove_tree(folder_);
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
