// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/sha256.hpp"

#include <array>
#include <string>
#include <string_view>

namespace banger::agent {

Digest Sha256::finish()
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> raw{};
    sha256_digest(&context_, raw.size(), raw.data());
    std::string text;
    for (const auto byte : raw) {
        text += {digits[byte >> 4U], digits[byte & 0xfU]};
    }
    return Digest::parse(text);
}

}  // namespace banger::agent
