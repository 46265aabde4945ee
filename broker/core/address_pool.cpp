// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/address_pool.hpp"

namespace banger::broker {

std::array<std::uint8_t, 6> mac_of(std::uint32_t guest)
{
    // 06: locally administered, unicast (IEEE 802, section 8.2); ba: ours among those.
    return {0x06,
            0xba,
            static_cast<std::uint8_t>(guest >> 24U),
            static_cast<std::uint8_t>(guest >> 16U),
            static_cast<std::uint8_t>(guest >> 8U),
            static_cast<std::uint8_t>(guest)};
}

SandboxNetwork network_of(const AddressPool& pool, const SandboxRecord& record)
{
    const auto first = pool.network + record.slot * 4U;
    return SandboxNetwork{.tap = "bgr" + std::to_string(record.slot),
                          .altname = record.key.mark(),
                          .uid = record.key.uid,
                          .gateway = first + 1,
                          .guest = first + 2,
                          .mac = mac_of(first + 2),
                          .nat = record.nat};
}

}  // namespace banger::broker
