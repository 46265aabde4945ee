// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// Puts a file's or folder's content on the disk. Throws NoSpace, Failed.
void sync_to_disk(const std::filesystem::path& path);

/// Removes a draft, unless a process that lives is making it: several bangerds of a user may share a cache. False: one is.
bool discard_draft(const std::filesystem::path& folder) noexcept;

/// The folder of an image or kernel that is being made, with a scratch folder in it; both are gone unless it is kept. What was there before goes.
/// Locked (flock(2)) for as long as this lives.
class ArtifactDraft {
public:
    /// Throws InUse (another bangerd makes it), NoSpace, Failed.
    explicit ArtifactDraft(const std::filesystem::path& folder);
    ArtifactDraft(const ArtifactDraft&) = delete;
    ArtifactDraft& operator=(const ArtifactDraft&) = delete;
    ~ArtifactDraft();

    const std::filesystem::path& folder() const noexcept { return folder_; }
    std::filesystem::path file(const char* name) const { return folder_ / name; }
    std::filesystem::path scratch() const { return folder_ / "scratch"; }
    void drop_scratch() const noexcept;
    /// Without the scratch folder, read-only, and on the disk: a power cut takes nothing back once the user was told "done".
    /// Throws NoSpace, Failed.
    void keep();

private:
    std::filesystem::path folder_;
    UniqueFd lock_;
    bool kept_{false};
};

}  // namespace banger::agent
