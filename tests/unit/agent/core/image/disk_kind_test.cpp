// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/disk_kind.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t super = 1024;

void put(Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size)
{
    for (std::size_t i = 0; i < size; ++i) {
        bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
}

/// A head as mke2fs leaves it: 4 KiB blocks, clean.
Bytes ext4_head(std::uint64_t blocks)
{
    Bytes head(disk_head_size);
    put(head, super + 0x4, blocks, 4);
    put(head, super + 0x18, 2, 4);
    put(head, super + 0x38, 0xef53, 2);
    put(head, super + 0x3a, 1, 2);
    put(head, super + 0x60, 0x2c2, 4);
    put(head, super + 0x150, blocks >> 32U, 4);
    return head;
}

Error refusal(const Bytes& head, std::uint64_t size)
{
    try {
        examine_disk(head, size, "disk.img");
    } catch (const Error& error) {
        return error;
    }
    return Error{ErrorCode::Internal, "it was taken"};
}

TEST(DiskKindTest, AnExt4HasItsSizeAndIsCleanOrNot)
{
    auto head = ext4_head(1000);
    EXPECT_EQ(examine_disk(head, 4'096'000, "x").file_system, ByteSize{4'096'000});
    EXPECT_EQ(examine_disk(head, 5'000'000, "x").file_system, ByteSize{4'096'000}) << "a file may be larger";
    EXPECT_TRUE(examine_disk(head, 4'096'000, "x").is_clean);
    EXPECT_FALSE(examine_disk(head, 4'096'000, "x").notes_errors);
    put(head, super + 0x3a, 3, 2);  // errors
    EXPECT_FALSE(examine_disk(head, 4'096'000, "x").is_clean);
    EXPECT_TRUE(examine_disk(head, 4'096'000, "x").notes_errors);
    put(head, super + 0x3a, 0, 2);  // mounted
    EXPECT_FALSE(examine_disk(head, 4'096'000, "x").is_clean);
    EXPECT_FALSE(examine_disk(head, 4'096'000, "x").notes_errors);
    put(head, super + 0x3a, 1, 2);
    put(head, super + 0x60, 0x2c6, 4);  // its journal is to be played back
    EXPECT_FALSE(examine_disk(head, 4'096'000, "x").is_clean);
}

TEST(DiskKindTest, AnExt4ThatIsCutOffOrNonsenseIsDamaged)
{
    EXPECT_EQ(refusal(ext4_head(1000), 4'095'999).code(), ErrorCode::CorruptData);
    EXPECT_THAT(refusal(ext4_head(1000), 4'095'999).what(), HasSubstr("cut off"));
    EXPECT_EQ(refusal(ext4_head(0), 4096).code(), ErrorCode::CorruptData);
    EXPECT_EQ(refusal(ext4_head(UINT64_MAX), UINT64_MAX).code(), ErrorCode::CorruptData);
    auto head = ext4_head(1000);
    put(head, super + 0x18, 99, 4);
    EXPECT_EQ(refusal(head, 4'096'000).code(), ErrorCode::CorruptData);
}

TEST(DiskKindTest, OtherFilesAreNamedWithTheCommandThatMakesAnExt4OfThem)
{
    struct Case {
        std::size_t at;
        std::string magic;
        const char* what;
        const char* mend;
    };
    for (const auto& [at, magic, what, mend] :
         std::vector<Case>{{0, "QFI\xfb", "qcow2", "qemu-img convert -O raw disk.img disk.raw"},
                           {0, "KDMV", "VMDK", "qemu-img convert"},
                           {0, "\x1f\x8b", "gzip", "gzip -dk disk.img"},
                           {0, "\xfd\x37zXZ", "xz", "xz -dk disk.img"},
                           {0, "\x28\xb5\x2f\xfd", "zstd", "zstd -dk disk.img"},
                           {0, "hsqs", "squashfs", "unsquashfs disk.img"},
                           {0, "XFSB", "XFS", "mke2fs"},
                           {0x10040, "_BHRfS_M", "btrfs", "mke2fs"},
                           {0x101, "ustar", "tar archive", "tar -xpf disk.img"},
                           {0x200, "EFI PART", "partitions", "sfdisk -l disk.img"},
                           {0x1fe, "\x55\xaa", "partitions", "dd if=disk.img"}}) {
        Bytes head(disk_head_size);
        std::memcpy(head.data() + at, magic.data(), magic.size());
        const auto error = refusal(head, head.size());
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << what;
        EXPECT_THAT(error.what(), HasSubstr(what));
        EXPECT_THAT(error.what(), HasSubstr(mend));
    }
    for (const auto& head : {Bytes{}, Bytes(100, 'x'), Bytes(disk_head_size)}) {
        EXPECT_EQ(refusal(head, head.size()).code(), ErrorCode::InvalidArgument);
    }
}

}  // namespace
}  // namespace banger::agent
