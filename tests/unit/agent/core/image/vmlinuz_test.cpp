// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/vmlinuz.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

Bytes elf()
{
    Bytes bytes(64);
    const std::string_view magic{
        "\x7f"
        "ELF\x02",
        5};
    std::copy(magic.begin(), magic.end(), bytes.begin());
    bytes[18] = 62;
    return bytes;
}

void put_u32(Bytes& bytes, std::size_t at, std::uint32_t value)
{
    for (int i = 0; i < 4; ++i) {
        bytes[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
    }
}

/// One setup sector beside the boot sector, then `payload` at `offset` of the protected-mode code.
Bytes bz_image(std::uint32_t offset, std::uint32_t length, std::size_t size)
{
    Bytes bytes(size);
    bytes[0x1f1] = 1;
    const std::string_view magic{"HdrS"};
    std::copy(magic.begin(), magic.end(), bytes.begin() + 0x202);
    bytes[0x206] = 0x0f;
    bytes[0x207] = 0x02;
    put_u32(bytes, 0x248, offset);
    put_u32(bytes, 0x24c, length);
    return bytes;
}

std::string kernel_refusal(const Bytes& bytes)
{
    try {
        find_kernel_payload(bytes, "/boot/vmlinuz");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        return error.what();
    }
    return "it was taken";
}

TEST(VmlinuzTest, AnElfFileIsTakenAsItIs)
{
    const auto file = elf();
    const auto payload = find_kernel_payload(file, "vmlinux");
    EXPECT_EQ(payload.kind, KernelPayload::Kind::Elf);
    EXPECT_EQ(payload.bytes.size(), file.size());
}

TEST(VmlinuzTest, ThePayloadOfABzImageIsWhereItsHeaderSays)
{
    auto file = bz_image(100, 50, 1024 + 100 + 50);
    file[1024 + 100] = 0xfd;
    const auto payload = find_kernel_payload(file, "vmlinuz");
    EXPECT_EQ(payload.kind, KernelPayload::Kind::Packed);
    ASSERT_EQ(payload.bytes.size(), 50U);
    EXPECT_EQ(payload.bytes[0], 0xfd);
}

TEST(VmlinuzTest, NoSetupSectorsMeansFour)
{
    auto file = bz_image(0, 10, 5 * 512 + 10);
    file[0x1f1] = 0;
    EXPECT_EQ(find_kernel_payload(file, "vmlinuz").bytes.data(), file.data() + 5 * 512);
}

TEST(VmlinuzTest, WhatIsNoKernelIsRefusedByName)
{
    EXPECT_THAT(kernel_refusal({}), HasSubstr("/boot/vmlinuz is not an x86-64 Linux kernel"));
    EXPECT_THAT(kernel_refusal(Bytes(2)), HasSubstr("no boot header"));
    EXPECT_THAT(kernel_refusal(Bytes(100'000)), HasSubstr("no boot header"));
    auto old = bz_image(0, 10, 4096);
    old[0x206] = 0x07;
    EXPECT_THAT(kernel_refusal(old), HasSubstr("older than 2.08"));
}

TEST(VmlinuzTest, ACutOffFileIsRefusedAtEachLength)
{
    const auto whole = bz_image(100, 500, 1024 + 100 + 500);
    EXPECT_NO_THROW(find_kernel_payload(whole, "vmlinuz"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_THROW(find_kernel_payload(std::span{whole}.first(size), "vmlinuz"), Error) << size;
    }
}

TEST(VmlinuzTest, LengthsThatWouldOverflowAreRefused)
{
    for (const auto& [offset, length] :
         {std::pair{0xffffffffU, 1U}, {0U, 0xffffffffU}, {0xffffffffU, 0xffffffffU}, {0U, 0U}}) {
        EXPECT_THAT(kernel_refusal(bz_image(offset, length, 8192)), HasSubstr("shorter than its header says"));
    }
}

TEST(VmlinuzTest, KernelsOfOtherMachinesAreRefused)
{
    auto other = elf();
    other[18] = 183;  // EM_AARCH64
    EXPECT_THAT(kernel_refusal(other), HasSubstr("another architecture"));
    auto narrow = elf();
    narrow[4] = 1;
    EXPECT_THAT(kernel_refusal(narrow), HasSubstr("another architecture"));
    auto big_endian = elf();
    big_endian[18] = 0;
    big_endian[19] = 62;
    EXPECT_THAT(kernel_refusal(big_endian), HasSubstr("another architecture"));
    auto cut = elf();
    cut.resize(63);
    EXPECT_THAT(kernel_refusal(cut), HasSubstr("no ELF file"));
}

}  // namespace
}  // namespace banger::agent
