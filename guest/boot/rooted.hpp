// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/unique_fd.hpp"

namespace banger::guest {

/// A file tree whose symlinks are followed as if its top were "/", so that an image's links never lead out of the image
/// (openat2(2), RESOLVE_IN_ROOT). Paths are relative to the top, with or without a leading slash.
class Rooted {
public:
    /// Throws NotFound, Failed.
    explicit Rooted(const std::string& top);

    /// Negative when there is no such thing.
    UniqueFd open(const std::string& path, int flags, mode_t mode = 0) const noexcept;
    bool exists(const std::string& path) const noexcept;
    /// Where `path` leads, from the top: "/usr/lib/systemd/systemd". nullopt: nowhere.
    std::optional<std::string> resolve(const std::string& path) const;
    /// Makes the folder and those above it. Throws Failed.
    UniqueFd make_folders(const std::string& path, mode_t mode = 0755) const;
    /// A whole file; nullopt: it can't be opened. Throws Failed when it is larger than 64 MiB.
    std::optional<std::string> read(const std::string& path) const;
    enum class LastLink { Follow, Replace };
    /// Replaces the file as a whole, owner 0:0, where its last link leads or in place of that link. Throws NoSpace, Failed.
    void write(const std::string& path, const std::string& content, mode_t mode = 0644,
               LastLink link = LastLink::Follow) const;

private:
    std::string top_path_;
    UniqueFd top_;
};

/// "/proc/self/fd/N", by which mount(2) and friends take a descriptor.
std::string fd_path(int fd);

}  // namespace banger::guest
