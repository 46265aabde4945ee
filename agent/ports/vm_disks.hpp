// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "common/size.hpp"

namespace banger::agent {

/// The files of a VM. Called on a worker thread: everything here may take long.
class VmDisks {
public:
    VmDisks() = default;
    VmDisks(const VmDisks&) = delete;
    VmDisks& operator=(const VmDisks&) = delete;
    virtual ~VmDisks() = default;

    /// The root disk FOLDER/root.img from an image: shared blocks where the file system can, else a sparse copy.
    /// Throws NoSpace (nothing left behind), Cancelled.
    virtual void make_root(const std::filesystem::path& image, const std::filesystem::path& folder,
                           const std::stop_token& stop) = 0;
    /// An empty ext4 FOLDER/work.img, sparse. Throws NoSpace, InvalidArgument (larger than the file system can hold).
    virtual void make_work(const std::filesystem::path& folder, ByteSize size) = 0;
    /// Makes FOLDER/work.img and its file system larger, whole or not at all. No VMM may have it open.
    /// Throws NoSpace, InvalidArgument (as make_work, or smaller than it is), CorruptData (its file system needs a look), Cancelled.
    virtual void grow_work(const std::filesystem::path& folder, ByteSize size, const std::stop_token& stop) = 0;
    /// Syncs both disks, as far as they are files, and their folder: from then on a power cut takes nothing of them back. Throws NoSpace, Failed.
    virtual void sync(const std::filesystem::path& folder) = 0;
    /// Bytes that are free for this user where `folder` is; loop thread too.
    virtual std::uint64_t free_bytes(const std::filesystem::path& folder) const noexcept = 0;
    /// Bytes that a file really takes; 0 when it isn't there.
    virtual std::uint64_t allocated(const std::filesystem::path& file) const noexcept = 0;
};

}  // namespace banger::agent
