// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_limits.hpp"

#include <string>

#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::uint32_t least_memory_mib = 128;
constexpr std::uint32_t most_memory_mib = 1U << 20U;  // 1 TiB
constexpr auto least_disk = 64 * mib;
constexpr auto least_overlay = 16 * mib;                    // the broker's own
constexpr auto most_disk = std::uint64_t{16} * 1024 * gib;  // ext4 with 4 KiB blocks holds 16 TiB

[[noreturn]] void refuse(const std::string& sentence) { throw Error{ErrorCode::InvalidArgument, sentence}; }

}  // namespace

void check_vcpus(std::uint32_t vcpus, std::uint32_t host_cpus)
{
    if (vcpus < 1 || vcpus > host_cpus) {
        refuse("vcpu must be 1 to " + std::to_string(host_cpus) + " on this host, not " + std::to_string(vcpus));
    }
}

void check_memory(std::uint32_t memory_mib)
{
    if (memory_mib < least_memory_mib || memory_mib > most_memory_mib) {
        refuse("memory must be 128 MiB to 1 TiB, not " + std::to_string(memory_mib) + " MiB");
    }
}

void check_disk(ByteSize disk)
{
    if (disk < least_disk || disk > most_disk) {
        refuse("disk-size must be 64M to 16T, not " + disk.to_string());
    }
}

void check_overlay(ByteSize overlay)
{
    if (overlay < least_overlay || overlay > most_disk) {
        refuse("system-overlay-size must be 16M to 16T, not " + overlay.to_string());
    }
}

}  // namespace banger::agent
