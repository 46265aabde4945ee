// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <memory>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// Puts a file's or folder's content on the disk. Throws NoSpace, Failed.
void sync_to_disk(const std::filesystem::path& path);

/// Removes a draft, unless a process that lives is making it, or has made it and not taken it in yet: several bangerds of a user may share a cache.
/// False: one has it.
bool discard_draft(const std::filesystem::path& folder) noexcept;
/// Of a draft that this process has kept: from now on it is anybody's.
void forget_draft(const std::filesystem::path& folder) noexcept;
/// The same, of one that has become `artifact`.
void release_draft(const std::filesystem::path& folder, const std::filesystem::path& artifact) noexcept;

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
    /// Without the scratch folder, read-only, and on the disk: a power cut takes nothing back once the user was told "done". It stays this process's
    /// until release_draft(), forget_draft() or a new one in its place. Throws NoSpace, Failed.
    void keep();

private:
    std::filesystem::path folder_;
    std::unique_ptr<DraftClaim> claim_;  ///< none: it is kept
};

}  // namespace banger::agent
