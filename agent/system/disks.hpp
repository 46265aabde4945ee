// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/vm_disks.hpp"
#include "agent/system/confinement.hpp"

namespace banger::agent {

/// Bytes that a file really takes; 0 when it isn't there.
std::uint64_t allocated_bytes(const std::filesystem::path& file) noexcept;

/// Copies a file: shared blocks (FICLONE) where the file system can, else without its holes. The target must not exist; on failure
/// it doesn't. Throws NoSpace (saying what was needed and what is free), Cancelled, Failed.
void clone_or_copy(const std::filesystem::path& from, const std::filesystem::path& to, const std::stop_token& stop);

/// Disks as plain files in the VM's folder.
class FileDisks final : public VmDisks {
public:
    /// `kept`: where the last new work disk is kept to copy the next one from, as most have one size. 4 MB; may be deleted at any time.
    /// `confine`: for what reads a disk that a guest had.
    explicit FileDisks(std::filesystem::path kept, Confine confine = {});
    void make_root(const std::filesystem::path& image, const std::filesystem::path& folder,
                   const std::stop_token& stop) override;
    void make_work(const std::filesystem::path& folder, ByteSize size) override;
    void grow_work(const std::filesystem::path& folder, ByteSize size, const std::stop_token& stop) override;
    void sync(const std::filesystem::path& folder) override;
    std::uint64_t free_bytes(const std::filesystem::path& folder) const noexcept override;
    std::uint64_t allocated(const std::filesystem::path& file) const noexcept override { return allocated_bytes(file); }

private:
    bool copy_kept(const std::filesystem::path& path, ByteSize size) const;
    void keep(const std::filesystem::path& path) const noexcept;

    std::filesystem::path kept_;
    Confine confine_;
};

}  // namespace banger::agent
