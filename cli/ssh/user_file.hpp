// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>
#include <filesystem>
#include <string>

namespace banger::cli {

/// A small text file of the user's, as it was read.
struct UserFile {
    std::filesystem::path path;  ///< where its bytes are: what a link leads to
    bool exists{false};
    bool is_link{false};
    std::string text{};
    mode_t mode{0600};
    ino_t inode{0};
    timespec changed{};
};

/// One that isn't there is empty. Throws NotFound (a link to nothing), InvalidArgument (no regular file, or one of more than 4 MiB), Failed.
UserFile read_user_file(const std::filesystem::path& path);

/// Puts `text` in its place, whole or not at all, also where the disk is full: in a file beside it that takes its name. Mode and link stay.
/// Throws NotAuthorized (read-only, or somebody else's), InUse (it has changed since it was read), NoSpace, Failed.
void replace_user_file(const UserFile& file, const std::string& text);

}  // namespace banger::cli
