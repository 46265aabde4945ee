// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/history.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace banger::cli::tui {
namespace {

constexpr std::array bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array ascii_bars{"_", ".", ":", "-", "=", "+", "*", "#"};

std::size_t step_of(double value, double top)
{
    if (!(value > 0) || !(top > 0)) {
        return 0;
    }
    const auto steps = static_cast<double>(bars.size());
    const auto step = std::ceil(std::min(value / top, 1.0) * steps) - 1;
    return static_cast<std::size_t>(std::clamp(step, 0.0, steps - 1));
}

}  // namespace

void History::add(std::optional<double> value)
{
    values_.push_back(value);
    if (values_.size() > most) {
        values_.pop_front();
    }
}

double History::top(double least) const
{
    double top = least;
    for (const auto& value : values_) {
        top = std::max(top, value.value_or(0));
    }
    return top;
}

std::string sparkline(const History& history, double top, std::size_t width, Charset charset)
{
    const auto& values = history.values();
    const auto shown = std::min(width, values.size());
    std::string line(width - shown, ' ');
    for (auto index = values.size() - shown; index < values.size(); ++index) {
        const auto step = values[index] ? step_of(*values[index], top) : 0;
        line += !values[index] ? " " : charset == Charset::Utf8 ? bars.at(step) : ascii_bars.at(step);
    }
    return line;
}

}  // namespace banger::cli::tui
