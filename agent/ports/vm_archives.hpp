// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/vm/vm_archive.hpp"
#include "agent/ports/runtime.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// What goes into a VM's archive. Nothing changes it meanwhile.
struct VmPacking {
    struct File {
        std::string name;                ///< of vm_archive_file
        std::filesystem::path place;     ///< a file, or a device
        std::optional<Digest> digest{};  ///< that it must have, as content_digest(); nullopt: whatever it has
    };
    enum class Form { Packed, Plain };

    VmArchiveContents contents;  ///< but for the disks
    std::vector<File> files;
    Form form{Form::Packed};
};

struct PackedVm {
    Digest sha256;       ///< of the archive's bytes
    std::uint64_t size;  ///< of the archive, in bytes
};

/// Where the disks of an archive go.
struct VmUnpacking {
    /// A catalog's draft of the image that came along.
    struct Image {
        std::string name;
        std::filesystem::path draft;
    };
    std::filesystem::path folder;  ///< of the VM
    std::optional<Image> image{};  ///< nullopt: it is passed over
};

/// An archive whose description was read, and nothing else as yet. Worker thread.
class OpenedVmArchive {
public:
    OpenedVmArchive() = default;
    OpenedVmArchive(const OpenedVmArchive&) = delete;
    OpenedVmArchive& operator=(const OpenedVmArchive&) = delete;
    virtual ~OpenedVmArchive() = default;

    /// Any thread.
    virtual const VmArchiveContents& contents() const noexcept = 0;
    /// Reads all of it, once. Gives its sha256. On failure files are left in the folder, but no draft of an image. Throws CorruptData (damaged, cut
    /// off, a bomb, a link, a name or a size that the description has not, another digest), NoSpace, Cancelled, Failed.
    virtual Digest unpack(const VmUnpacking& where) = 0;
};

/// VMs as files: one archive with a description, disks and perhaps an image, without their holes. Worker thread, for minutes. What it reads
/// from and writes to may be a file, a pipe or a socket, and the other end may take its time.
class VmArchives {
public:
    VmArchives() = default;
    VmArchives(const VmArchives&) = delete;
    VmArchives& operator=(const VmArchives&) = delete;
    virtual ~VmArchives() = default;

    /// Throws CorruptData (a file has another digest than it must), InvalidArgument (it packs like a bomb), NoSpace, Cancelled, Failed (also
    /// where nobody reads any more).
    virtual PackedVm pack(VmPacking packing, const UniqueFd& output, const RuntimeProgress& progress) = 0;
    /// Throws CorruptData, Cancelled, Failed.
    virtual std::unique_ptr<OpenedVmArchive> open(UniqueFd input, RuntimeProgress progress) = 0;
};

}  // namespace banger::agent
