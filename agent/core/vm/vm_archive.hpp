// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/vm/vm_record.hpp"
#include "common/ids.hpp"

namespace banger::agent {

/// The files of a VM's archive; it has no others. The description comes first.
namespace vm_archive_file {
inline constexpr auto description = "vm.json";
inline constexpr auto root_disk = "root.img";
inline constexpr auto work_disk = "work.img";
inline constexpr auto image = "image.ext4";  ///< what the root disk was made of, for new VMs
}  // namespace vm_archive_file

/// Of a description: more is none of ours.
inline constexpr std::size_t vm_archive_description_limit = std::size_t{1} << 20U;

struct ArchivedDisk {
    std::string file;    ///< of vm_archive_file
    std::uint64_t size;  ///< bytes as the guest sees them
    std::uint64_t data;  ///< of them in the archive; the rest are holes
    Digest digest;       ///< as content_digest()
};

/// What vm.json of an archive says.
struct VmArchiveContents {
    std::string version;  ///< of the banger that wrote it
    VmSpec spec;
    bool fresh{false};             ///< its guest was never ready, so its first boot is to come
    std::string image_origin{};    ///< for people
    std::string kernel_version{};  ///< uname -r; for people
    std::vector<ArchivedDisk> disks{};

    /// nullptr: it has no such file.
    const ArchivedDisk* find(std::string_view file) const noexcept;
    /// Of all disks together.
    std::uint64_t data() const noexcept;
};

/// Shape: an object of format (1), banger, architecture (x86_64), vm (as to_json(VmSpec)), fresh, image_origin, kernel_version and disks, an array of
/// objects of file, size, data and digest: root.img, work.img, which has the size that vm says, and perhaps image.ext4, with the digest that it says.
/// Nothing else, nothing twice. Throws CorruptData: "vm.json: what is wrong"; "it" is the archive.
VmArchiveContents parse_vm_archive(std::string_view text);
std::string to_text(const VmArchiveContents& contents);

}  // namespace banger::agent
