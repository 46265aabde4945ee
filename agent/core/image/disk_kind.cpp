// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/disk_kind.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using Head = std::span<const std::uint8_t>;

constexpr std::size_t super_block = 1024;
constexpr std::size_t super_block_size = 1024;

bool holds_text(Head head, std::size_t at, std::string_view text)
{
    return head.size() >= at + text.size() &&
           std::equal(text.begin(), text.end(), head.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char letter, std::uint8_t byte) { return static_cast<std::uint8_t>(letter) == byte; });
}

/// Little endian, of 2 or 4 bytes.
std::uint64_t number_at(Head head, std::size_t at, std::size_t bytes)
{
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i > 0; --i) {
        value = value << 8U | head[at + i - 1];
    }
    return value;
}

struct Stranger {
    std::size_t at;
    std::string_view magic;
    const char* what;
    const char* mend;  ///< FILE stands for its name
};

using namespace std::string_view_literals;

/// Kinds of files that people have, by file(1)'s magic.
constexpr std::array strangers{
    Stranger{0, "QFI\xfb"sv, "a qcow2 image", "qemu-img convert -O raw FILE disk.raw makes a raw one"},
    Stranger{0, "KDMV"sv, "a VMDK image", "qemu-img convert -O raw FILE disk.raw makes a raw one"},
    Stranger{0x40, "\x7f\x10\xda\xbe"sv, "a VirtualBox image", "qemu-img convert -O raw FILE disk.raw makes a raw one"},
    Stranger{0, "vhdxfile"sv, "a VHDX image", "qemu-img convert -O raw FILE disk.raw makes a raw one"},
    Stranger{0, "\x1f\x8b"sv, "packed by gzip", "gzip -dk FILE unpacks it"},
    Stranger{0, "\xfd\x37zXZ"sv, "packed by xz", "xz -dk FILE unpacks it"},
    Stranger{0, "\x28\xb5\x2f\xfd"sv, "packed by zstd", "zstd -dk FILE unpacks it"},
    Stranger{0, "BZh"sv, "packed by bzip2", "bzip2 -dk FILE unpacks it"},
    Stranger{0, "hsqs"sv, "a squashfs",
             "unsquashfs FILE, then mke2fs -t ext4 -d squashfs-root root.ext4 16G make an ext4 of it"},
    Stranger{0, "XFSB"sv, "an XFS file system",
             "mke2fs -t ext4 -d FOLDER root.ext4 16G makes an ext4 of a folder where it is mounted"},
    Stranger{0x10040, "_BHRfS_M"sv, "a btrfs",
             "mke2fs -t ext4 -d FOLDER root.ext4 16G makes an ext4 of a folder where it is mounted"},
    Stranger{0x101, "ustar"sv, "a tar archive",
             "mkdir root, tar -xpf FILE -C root, then mke2fs -t ext4 -d root root.ext4 16G make an ext4 of it"},
    Stranger{0x8001, "CD001"sv, "an ISO image", "it holds an installer or a live system, no root file system"},
    Stranger{0x200, "EFI PART"sv, "a whole disk with partitions",
             "sfdisk -l FILE shows them, and dd if=FILE of=root.ext4 bs=512 skip=START count=SECTORS takes one out"},
    Stranger{0x1fe, "\x55\xaa"sv, "a whole disk with partitions",
             "sfdisk -l FILE shows them, and dd if=FILE of=root.ext4 bs=512 skip=START count=SECTORS takes one out"},
};

std::string with_name(std::string_view mend, const std::string& name)
{
    constexpr std::string_view word = "FILE";
    std::string text{mend};
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + name.size())) {
        text.replace(at, word.size(), name);
    }
    return text;
}

bool is_ext(Head head)
{
    constexpr std::size_t magic_at = super_block + 0x38;
    return head.size() >= super_block + super_block_size && holds_text(head, magic_at, "\x53\xef"sv);
}

[[noreturn]] void refuse_stranger(Head head, const std::string& name)
{
    for (const auto& stranger : strangers) {
        if (holds_text(head, stranger.at, stranger.magic)) {
            throw Error{ErrorCode::InvalidArgument,
                        name + " is " + stranger.what + ", not an ext4 file system; " + with_name(stranger.mend, name)};
        }
    }
    throw Error{ErrorCode::InvalidArgument, name +
                                                " is no ext4 file system; mke2fs -t ext4 -d FOLDER root.ext4 16G "
                                                "makes one of a folder"};
}

}  // namespace

DiskFacts examine_disk(Head head, std::uint64_t size, const std::string& name)
{
    if (!is_ext(head)) {
        refuse_stranger(head, name);
    }
    constexpr std::uint64_t incompatible_64bit = 0x80;
    constexpr std::uint64_t incompatible_recover = 0x4;
    constexpr std::uint64_t state_valid = 1;
    constexpr std::uint64_t state_errors = 2;
    constexpr std::uint64_t largest_shift = 6;  // 64 KiB
    const auto features = number_at(head, super_block + 0x60, 4);
    const auto state = number_at(head, super_block + 0x3a, 2);
    const auto shift = number_at(head, super_block + 0x18, 4);
    auto blocks = number_at(head, super_block + 0x4, 4);
    if ((features & incompatible_64bit) != 0) {
        blocks |= number_at(head, super_block + 0x150, 4) << 32U;
    }
    constexpr std::uint64_t least_block = 1024;
    if (shift > largest_shift || blocks == 0 || blocks > (UINT64_MAX / least_block) >> shift) {
        throw Error{ErrorCode::CorruptData,
                    name + " has an ext4's mark, and its size makes no sense; e2fsck -f " + name + " may mend it"};
    }
    const auto bytes = blocks * (least_block << shift);
    if (bytes > size) {
        throw Error{ErrorCode::CorruptData, name + " is cut off: its file system has " + ByteSize{bytes}.to_string() +
                                                ", the file " + ByteSize{size}.to_string() + "; copy it again"};
    }
    const bool notes_errors = (state & state_errors) != 0;
    return {ByteSize{bytes}, (state & state_valid) != 0 && !notes_errors && (features & incompatible_recover) == 0,
            notes_errors};
}

}  // namespace banger::agent
