// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// Puts a file's or folder's content on the disk. Throws NoSpace, Failed.
void sync_to_disk(const std::filesystem::path& path);

/// Removes a draft, unless a process that lives is making it: several bangerds of a user may share a cache. False: one is.
bool discard_draft(const std::filesystem::path& folder) noexcept;

/// A draft that this process alone may touch. The kernel sees no threads in a lock of fcntl(2), so here stands what they have, too.
class DraftClaim {
public:
    explicit DraftClaim(const std::filesystem::path& folder);
    DraftClaim(const DraftClaim&) = delete;
    DraftClaim& operator=(const DraftClaim&) = delete;
    ~DraftClaim();

    /// False: another thread has it.
    explicit operator bool() const noexcept { return held_; }
    /// Removes it, unless another process is making it. False: one is. Throws as lock_file().
    bool clear() const;
    /// Makes the folder, which is nobody else's from its first moment on. False: another process was faster. Throws as lock_file(), and NoSpace, Failed.
    bool make();
    /// The folder stays, and is anybody's.
    void give_up() const;

private:
    std::filesystem::path folder_;
    bool held_;
    UniqueFd lock_;
};

/// The folder of an image or kernel that is being made, with a scratch folder in it; both are gone unless it is kept. What was there before goes.
/// Locked for as long as this lives, and free as soon as the process has ended, whatever children of it live on.
class ArtifactDraft {
public:
    /// Throws InUse (another bangerd makes it), NoSpace, HostLacks (no locks there), Failed.
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
    DraftClaim claim_;
    bool kept_{false};
};

}  // namespace banger::agent
