// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "common/unique_fd.hpp"

namespace banger::cli {

/// A folder for one piece of work, below banger's cache: what is put there may be large. Gone with this object; where a signal ended the
/// program before, the next one takes it away.
class WorkFolder {
public:
    /// `parent` is made where it is missing. Throws what the file system says.
    explicit WorkFolder(const std::filesystem::path& parent);
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;
    ~WorkFolder();

    std::filesystem::path operator/(const char* name) const { return path_ / name; }

private:
    std::filesystem::path path_;
    UniqueFd lock_;
};

/// Where they are: workspaces/ in banger's cache folder.
std::filesystem::path work_folders();

}  // namespace banger::cli
