// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

struct archive_entry;

namespace banger::unpack {

/// An ext4 file system in a file, read without mounting it, by libext2fs. It may be anybody's, and damaged on purpose.
class ExtImage {
public:
    /// Bytes of a file, from `offset` on; holes and blocks of zeros are left out.
    using Write = std::function<void(std::uint64_t offset, std::span<const char> bytes)>;
    using Read = std::function<void(const Write& write)>;
    /// Called for each thing in the tree, a folder before what is in it, `.` first. `read` gives a regular file's content.
    using Visit = std::function<void(archive_entry* entry, const Read& read)>;

    /// Throws NotFound, CorruptData.
    explicit ExtImage(const std::filesystem::path& file);
    ~ExtImage();
    ExtImage(const ExtImage&) = delete;
    ExtImage& operator=(const ExtImage&) = delete;

    /// Owners, modes, times, POSIX ACLs, `user.` attributes, capabilities and hard links come with the entries; device files and sockets don't
    /// come at all, as a guest's kernel makes its own. Throws CorruptData, and what `visit` throws.
    void walk(const Visit& visit) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace banger::unpack
