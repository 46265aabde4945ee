// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "broker/core/toml_reader.hpp"

namespace banger::broker {
namespace {

constexpr unsigned address_bits = 32;
constexpr unsigned widest_pool = 16;
constexpr unsigned narrowest_pool = 28;

/// The decimal number at the beginning of `text`, at most `most`, which is then taken away with `end` behind it.
std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t most, std::string_view end)
{
    std::uint32_t number = 0;
    const auto* const last = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), last, number);
    if (problem != std::errc{} || number > most) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    if (!text.starts_with(end)) {
        return std::nullopt;
    }
    text.remove_prefix(end.size());
    return number;
}

std::uint32_t mask_of(unsigned prefix) noexcept { return ~std::uint32_t{0} << (address_bits - prefix); }

Quota read_quota(const TomlReader& table, Quota quota)
{
    constexpr std::int64_t most_sandboxes = 4096;
    constexpr std::int64_t most_calls = 4096;
    table.only({"sandboxes", "bytes", "calls"});
    if (table.has("sandboxes")) {
        quota.sandboxes = static_cast<std::uint32_t>(table.number("sandboxes", 0, most_sandboxes));
    }
    if (table.has("bytes")) {
        quota.bytes = table.parsed("bytes", [](std::string_view text) { return ByteSize::parse(text); });
    }
    if (table.has("calls")) {
        quota.calls = static_cast<std::uint32_t>(table.number("calls", 1, most_calls));
    }
    return quota;
}

std::string parse_level(std::string_view text)
{
    constexpr std::array levels{"debug", "info", "warn", "error"};
    if (std::find(levels.begin(), levels.end(), text) == levels.end()) {
        throw Error{ErrorCode::InvalidArgument, "must be debug, info, warn or error"};
    }
    return std::string{text};
}

}  // namespace

AddressPool AddressPool::parse(std::string_view text)
{
    constexpr std::uint32_t most = 255;
    const auto whole = text;
    const auto a = take_number(text, most, ".");
    const auto b = a ? take_number(text, most, ".") : std::nullopt;
    const auto c = b ? take_number(text, most, ".") : std::nullopt;
    const auto d = c ? take_number(text, most, "/") : std::nullopt;
    const auto prefix = d ? take_number(text, address_bits, "") : std::nullopt;
    if (!prefix || !text.empty()) {
        throw Error{ErrorCode::InvalidArgument, "must be an IPv4 network such as 10.213.0.0/16"};
    }
    if (*prefix < widest_pool || *prefix > narrowest_pool) {
        throw Error{ErrorCode::InvalidArgument, "must be a network of /16 to /28"};
    }
    const auto address = (*a << 24U) | (*b << 16U) | (*c << 8U) | *d;
    if ((address & ~mask_of(*prefix)) != 0) {
        throw Error{ErrorCode::InvalidArgument, std::string{whole} + " has bits set beyond its prefix"};
    }
    constexpr std::uint32_t multicast = 224;
    if (*a == 0 || *a == 127 || *a >= multicast || (*a == 169 && *b == 254)) {
        throw Error{ErrorCode::InvalidArgument, "must be a network whose addresses hosts can have"};
    }
    return AddressPool{.network = address, .prefix = *prefix};
}

BrokerConfig parse_broker_config(std::string_view text, std::string_view file)
{
    const auto table = parse_toml(text, file);
    const TomlReader top{table, file};
    BrokerConfig config;
    top.only({"address_pool", "quota", "log_level"});
    if (top.has("address_pool")) {
        config.pool = top.parsed("address_pool", [](std::string_view pool) { return AddressPool::parse(pool); });
    }
    if (top.has("log_level")) {
        config.log_level = top.parsed("log_level", parse_level);
    }
    if (top.has("quota")) {
        const auto quota = top.table("quota");
        quota.only({"user", "all"});
        if (quota.has("user")) {
            config.user = read_quota(quota.table("user"), config.user);
        }
        if (quota.has("all")) {
            config.all = read_quota(quota.table("all"), config.all);
        }
    }
    return config;
}

}  // namespace banger::broker
