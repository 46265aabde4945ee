// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/growth.hpp"

#include <algorithm>

namespace banger::broker::growth {

ByteSize target(ByteSize used, ByteSize allocated, ByteSize limit)
{
    if (allocated >= limit || allocated.bytes() - std::min(used, allocated).bytes() >= low.bytes()) {
        return allocated;
    }
    return std::min(limit, ByteSize{allocated.bytes() + step.bytes()});
}

std::chrono::milliseconds look_again_in(ByteSize room)
{
    constexpr std::uint64_t fastest = gib.bytes() / 1000;  // bytes a millisecond
    constexpr std::uint64_t least = 20;
    constexpr std::uint64_t most = 500;
    return std::chrono::milliseconds{std::clamp(room.bytes() / fastest, least, most)};
}

bool is_nearly_full(ByteSize used, ByteSize limit)
{
    const auto room = limit.bytes() - std::min(used, limit).bytes();
    return room < std::max(limit.bytes() / 10, std::min(low.bytes(), limit.bytes() / 4));
}

}  // namespace banger::broker::growth
