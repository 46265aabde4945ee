// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "common/size.hpp"

namespace banger::agent {

/// What a VM may have. Each throws InvalidArgument that names the value and the range.
void check_vcpus(std::uint32_t vcpus, std::uint32_t host_cpus);
void check_memory(std::uint32_t memory_mib);
void check_disk(ByteSize disk);
void check_overlay(ByteSize overlay);

}  // namespace banger::agent
