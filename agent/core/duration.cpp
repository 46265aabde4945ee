// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/duration.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::array duration_units{std::pair{'d', std::int64_t{86'400}}, std::pair{'h', std::int64_t{3'600}},
                                    std::pair{'m', std::int64_t{60}}, std::pair{'s', std::int64_t{1}}};
constexpr std::int64_t longest_duration = 3650 * std::int64_t{86'400};

/// Seconds in one of a unit; 0 for a letter that is none.
std::int64_t seconds_in(char unit)
{
    for (const auto& [letter, seconds] : duration_units) {
        if (letter == unit) {
            return seconds;
        }
    }
    return 0;
}

}  // namespace

std::chrono::seconds parse_duration(std::string_view text)
{
    const Error refusal{ErrorCode::InvalidArgument,
                        "\"" + shown(text) + "\" is not a duration; write it like 12h, 90m or 1h30m, or 0"};
    if (text == "0") {
        return std::chrono::seconds{0};
    }
    std::int64_t total = 0;
    std::string_view rest = text;
    do {
        std::int64_t number = 0;
        const auto* const end = rest.data() + rest.size();
        const auto [at, problem] = std::from_chars(rest.data(), end, number);
        const auto unit = problem == std::errc{} && at != end ? seconds_in(*at) : 0;
        if (unit == 0 || number < 0 || number > longest_duration / unit) {
            throw Error{refusal};
        }
        total += number * unit;
        rest.remove_prefix(static_cast<std::size_t>(at - rest.data()) + 1);
    } while (!rest.empty());
    if (total > longest_duration) {
        throw Error{refusal};
    }
    return std::chrono::seconds{total};
}

std::string to_string(std::chrono::seconds duration)
{
    std::string text;
    auto left = duration.count();
    for (const auto& [letter, seconds] : duration_units) {
        if (left >= seconds) {
            text += std::to_string(left / seconds) + letter;
            left %= seconds;
        }
    }
    return text.empty() ? "0" : text;
}

}  // namespace banger::agent
