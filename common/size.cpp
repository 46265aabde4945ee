// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/size.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger {
namespace {

constexpr std::string_view units = "KMGT";

[[noreturn]] void refuse(std::string_view text, const char* why)
{
    throw Error{ErrorCode::InvalidArgument,
                "\"" + shown(text) + "\" is not a size: " + why + "; write it like 16G, 512M or 1.5GiB"};
}

/// Multiplier of a suffix such as "G", "GiB", "gb"; 0 for anything else.
std::uint64_t multiplier(std::string_view suffix)
{
    if (suffix == "B" || suffix == "b") {
        return 1;
    }
    const auto index = units.find(static_cast<char>(std::toupper(static_cast<unsigned char>(suffix[0]))));
    if (index == std::string_view::npos) {
        return 0;
    }
    std::string rest;
    for (const char c : suffix.substr(1)) {
        rest += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    if (!rest.empty() && rest != "b" && rest != "i" && rest != "ib") {
        return 0;
    }
    return std::uint64_t{1} << (10U * (index + 1));
}

}  // namespace

ByteSize ByteSize::parse(std::string_view text, ByteSize unit_without_suffix)
{
    const auto digits_end = text.find_first_not_of("0123456789.");
    const auto number = text.substr(0, digits_end);
    if (text.empty() || number.empty()) {
        refuse(text, text.starts_with('-') ? "it must be greater than zero" : "it has no number");
    }
    double value = 0;
    const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (problem != std::errc{} || end != number.data() + number.size()) {
        refuse(text, "its number can't be read");
    }
    auto unit = unit_without_suffix.bytes();
    if (digits_end != std::string_view::npos) {
        unit = multiplier(text.substr(digits_end));
        if (unit == 0) {
            refuse(text, "its unit is none of B, K, M, G, T");
        }
    }
    const double bytes = std::floor(value * static_cast<double>(unit));
    if (bytes < 1) {
        refuse(text, "it must be greater than zero");
    }
    if (bytes >= 9.2e18) {
        refuse(text, "it is too large");
    }
    return ByteSize{static_cast<std::uint64_t>(bytes)};
}

std::string ByteSize::to_string() const
{
    for (std::size_t index = units.size(); index > 0; --index) {
        const auto unit = std::uint64_t{1} << (10U * index);
        if (bytes_ < unit) {
            continue;
        }
        if (bytes_ % unit == 0) {
            return std::to_string(bytes_ / unit) + units[index - 1];
        }
        const auto tenths = bytes_ / unit * 10 + (bytes_ % unit * 10 + unit / 2) / unit;  // bytes_ * 10 may overflow
        return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + units[index - 1];
    }
    return std::to_string(bytes_) + "B";
}

}  // namespace banger
