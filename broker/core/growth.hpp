// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>

#include "common/size.hpp"

namespace banger::broker {

/// When a copy-on-write file is made longer. The kernel tells nobody how full a snapshot is before it overflows (dm-snapshot.c, 6.1), so
/// it is looked at, as often as its room can be written full.
namespace growth {

inline constexpr ByteSize step = 256 * mib;  ///< also what a new file has
inline constexpr ByteSize low = 192 * mib;   ///< less room than this, and a step more is allocated
inline constexpr ByteSize hold = 64 * mib;   ///< less room than this, and no more to be had: I/O waits
inline constexpr ByteSize least_limit = 16 * mib;
inline constexpr ByteSize most_limit{INT64_MAX};  ///< a record's number

/// What the file should be next; `allocated` when it needs nothing, or may have no more.
ByteSize target(ByteSize used, ByteSize allocated, ByteSize limit);

/// How long `room` lasts at the fastest that a snapshot was seen to fill: 20 to 500 ms.
std::chrono::milliseconds look_again_in(ByteSize room);

/// Whether its owner should know that it can't grow much longer: a tenth of the limit, or less than the lowest room.
bool is_nearly_full(ByteSize used, ByteSize limit);

}  // namespace growth
}  // namespace banger::broker
