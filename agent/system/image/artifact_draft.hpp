// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

namespace banger::agent {

/// Puts a file's or folder's content on the disk. Throws NoSpace, Failed.
void sync_to_disk(const std::filesystem::path& path);

/// The folder of an image or kernel that is being made, with a scratch folder in it; both are gone unless it is kept. What was there before goes.
class ArtifactDraft {
public:
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
    bool kept_{false};
};

}  // namespace banger::agent
