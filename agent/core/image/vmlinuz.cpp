// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/vmlinuz.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ByteView = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 4> elf_magic{0x7f, 'E', 'L', 'F'};
constexpr std::array<std::uint8_t, 4> boot_magic{'H', 'd', 'r', 'S'};
constexpr std::array<std::uint8_t, 4> arm_magic{'A', 'R', 'M', 0x64};
constexpr std::array<std::uint8_t, 4> zboot_magic{'z', 'i', 'm', 'g'};
constexpr std::size_t arm_magic_at = 0x38;
constexpr std::size_t zboot_magic_at = 4;
constexpr std::size_t boot_magic_at = 0x202;
constexpr std::size_t boot_version_at = 0x206;
constexpr std::size_t setup_sectors_at = 0x1f1;
constexpr std::size_t payload_offset_at = 0x248;
constexpr std::size_t payload_length_at = 0x24c;
constexpr std::size_t header_end = 0x250;
constexpr std::size_t sector = 512;
constexpr std::uint16_t version_with_payload = 0x0208;
constexpr std::size_t default_setup_sectors = 4;  // a 0 in the header means that

[[noreturn]] void refuse(const std::string& name, const std::string& why)
{
    throw Error{ErrorCode::CorruptData, name + " is not an x86-64 Linux kernel: " + why};
}

bool has(ByteView file, std::size_t at, ByteView magic)
{
    return file.size() >= at + magic.size() &&
           std::equal(magic.begin(), magic.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
}

std::uint32_t get_u32(ByteView file, std::size_t at)
{
    return static_cast<std::uint32_t>(file[at]) | static_cast<std::uint32_t>(file[at + 1]) << 8U |
           static_cast<std::uint32_t>(file[at + 2]) << 16U | static_cast<std::uint32_t>(file[at + 3]) << 24U;
}

}  // namespace

KernelPayload find_kernel_payload(ByteView file, const std::string& name)
{
    if (has(file, 0, elf_magic)) {
        check_vmlinux(file, name);
        return {KernelPayload::Kind::Elf, file};
    }
    // Documentation/arm64/booting.rst; drivers/firmware/efi/libstub/zboot-header.S
    if (has(file, arm_magic_at, arm_magic) || has(file, zboot_magic_at, zboot_magic)) {
        refuse(name, "it is for another architecture");
    }
    if (file.size() < header_end || !has(file, boot_magic_at, boot_magic)) {
        refuse(name, "it has no boot header");
    }
    const auto version = get_u32(file, boot_version_at) & 0xffffU;
    if (version < version_with_payload) {
        refuse(name, "its boot protocol is older than 2.08");
    }
    const std::size_t setup = file[setup_sectors_at] != 0 ? file[setup_sectors_at] : default_setup_sectors;
    const std::size_t begin = (setup + 1) * sector + get_u32(file, payload_offset_at);
    const std::size_t length = get_u32(file, payload_length_at);
    if (length == 0 || begin > file.size() || length > file.size() - begin) {
        refuse(name, "it is shorter than its header says; was the copy cut off?");
    }
    return {KernelPayload::Kind::Packed, file.subspan(begin, length)};
}

void check_vmlinux(ByteView elf, const std::string& name)
{
    constexpr std::size_t elf_header_size = 64;
    constexpr std::uint8_t class_64 = 2;
    constexpr std::uint8_t machine_x86_64 = 62;  // EM_X86_64
    if (elf.size() < elf_header_size || !has(elf, 0, elf_magic)) {
        refuse(name, "what is packed in it is no ELF file");
    }
    if (elf[4] != class_64 || elf[18] != machine_x86_64 || elf[19] != 0) {
        refuse(name, "it is for another architecture");
    }
}

}  // namespace banger::agent
