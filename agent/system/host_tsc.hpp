// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace banger::agent {

/// The rate of this machine's time stamp counter, measured against the clock between the program's start and the first call (10 ms
/// at least, which the first call spins out if need be). Unit: kHz.
std::uint64_t host_tsc_khz();

}  // namespace banger::agent
