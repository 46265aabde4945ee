// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/sandbox.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::broker {
namespace {

constexpr std::size_t id_limit = 32;

bool is_id_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

[[noreturn]] void refuse_key(std::string_view text)
{
    throw Error{ErrorCode::InvalidArgument, "\"" + shown(text) + "\" is not a sandbox's key: it must be UID-ID"};
}

}  // namespace

SandboxId SandboxId::parse(std::string_view text)
{
    if (text.empty() || text.size() > id_limit || !std::all_of(text.begin(), text.end(), is_id_letter)) {
        throw Error{ErrorCode::InvalidArgument,
                    "\"" + shown(text) + "\" is not a sandbox's id: it must be 1 to 32 of a-z, 0-9 and -"};
    }
    return SandboxId{std::string{text}};
}

SandboxKey SandboxKey::parse(std::string_view text)
{
    const auto dash = text.find('-');
    if (dash == std::string_view::npos || dash == 0) {
        refuse_key(text);
    }
    const auto digits = text.substr(0, dash);
    uid_t uid = 0;
    const auto* end = digits.data() + digits.size();
    const auto [rest, failure] = std::from_chars(digits.data(), end, uid);
    // One spelling a key, so that str() of what was parsed is what was read; the last uid is the kernel's "nobody at all".
    const bool is_plain = digits.size() == 1 || digits.front() != '0';
    if (failure != std::errc{} || rest != end || !is_plain || uid == std::numeric_limits<uid_t>::max()) {
        refuse_key(text);
    }
    return {uid, SandboxId::parse(text.substr(dash + 1))};
}

SandboxKey SandboxKey::parse_mark(std::string_view mark)
{
    if (!mark.starts_with(mark_prefix)) {
        refuse_key(mark);
    }
    return parse(mark.substr(mark_prefix.size()));
}

std::string ipv4_text(std::uint32_t address)
{
    std::string text;
    for (const auto shift : {24U, 16U, 8U, 0U}) {
        text += (text.empty() ? "" : ".") + std::to_string((address >> shift) & 0xffU);
    }
    return text;
}

std::string mac_text(const std::array<std::uint8_t, 6>& mac)
{
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                  mac[5]);
    return text.data();
}

}  // namespace banger::broker
