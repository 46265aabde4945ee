// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/vm_numbers.hpp"

#include <algorithm>

namespace banger::cli {

std::optional<std::uint64_t> known_number(const Numbers& numbers, const char* name)
{
    const auto at = numbers.find(name);
    return at == numbers.end() ? std::nullopt : std::optional{at->second};
}

std::optional<double> cpu_percent(const Numbers& before, const Numbers& now)
{
    const auto old_cpu = known_number(before, "cpu_ns");
    const auto old_time = known_number(before, "sampled_ns");
    const auto cpu = known_number(now, "cpu_ns");
    const auto time = known_number(now, "sampled_ns");
    if (!old_cpu || !old_time || !cpu || !time || *cpu < *old_cpu || *time <= *old_time) {
        return std::nullopt;
    }
    constexpr double percent = 100;
    return static_cast<double>(*cpu - *old_cpu) / static_cast<double>(*time - *old_time) * percent;
}

std::chrono::milliseconds usual_interval(std::size_t running)
{
    using std::chrono::milliseconds;
    constexpr milliseconds least{2'000};
    constexpr milliseconds of_one{100};
    return std::max(least, of_one * static_cast<milliseconds::rep>(running));
}

std::string uptime_text(const std::optional<std::uint64_t>& ms)
{
    constexpr std::uint64_t ms_per_s = 1000;
    constexpr std::uint64_t minute = 60;
    constexpr std::uint64_t hour = 60 * minute;
    constexpr std::uint64_t day = 24 * hour;
    if (!ms) {
        return "-";
    }
    const auto s = *ms / ms_per_s;
    const auto in = [&](std::uint64_t unit, const char* word, std::uint64_t part, const char* part_word) {
        return std::to_string(s / unit) + word + std::to_string(s % unit / part) + part_word;
    };
    return s < minute ? std::to_string(s) + "s"
           : s < hour ? in(minute, "m", 1, "s")
           : s < day  ? in(hour, "h", minute, "m")
                      : in(day, "d", hour, "h");
}

}  // namespace banger::cli
