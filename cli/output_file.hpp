// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.hpp"

#include <filesystem>

namespace banger::cli {

/// A file that is there whole or not at all, for its owner alone. It has no name until commit(), so that not even a SIGKILL leaves something; where the
/// file system has no such files, it is called .NAME.new.
class OutputFile {
public:
    enum class Existing { Refuse, Replace };

    /// Throws AlreadyExists, InvalidArgument (no regular file), NotFound (the folder), InUse (its draft is written by another one), Failed.
    OutputFile(const std::filesystem::path& path, Existing existing);
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    ~OutputFile();

    int fd() const noexcept { return file_.get(); }
    const std::filesystem::path& path() const noexcept { return path_; }
    /// On the disk, and by its name from now on. Throws AlreadyExists (since it was opened), NoSpace, Failed.
    void commit();

private:
    void give_name(const std::filesystem::path& name) const;

    std::filesystem::path path_;
    std::filesystem::path draft_;
    Existing existing_;
    bool is_named_{false};  ///< by the draft's name
    UniqueFd file_;
};

}  // namespace banger::cli
