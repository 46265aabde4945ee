// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace banger::agent {

/// The packed kernel inside a bzImage (Documentation/arch/x86/boot.rst: setup_sects at 0x1f1, payload_offset and payload_length at
/// 0x248 and 0x24c), or nothing to unpack when the file is an ELF vmlinux already.
struct KernelPayload {
    enum class Kind { Elf, Packed } kind;
    std::span<const std::uint8_t> bytes;
};

/// Throws CorruptData: "NAME is not an x86-64 Linux kernel: why".
KernelPayload find_kernel_payload(std::span<const std::uint8_t> file, const std::string& name);

/// Checks that it is an x86-64 ELF executable. Throws CorruptData.
void check_vmlinux(std::span<const std::uint8_t> elf, const std::string& name);

}  // namespace banger::agent
