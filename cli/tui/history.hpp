// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/text.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace banger::cli::tui {

/// The last samples of one number, the newest at the end.
class History {
public:
    static constexpr std::size_t most = 60;

    /// nullopt: it wasn't known then.
    void add(std::optional<double> value);
    void clear() { values_.clear(); }
    bool empty() const noexcept { return values_.empty(); }
    /// The newest, where it is known.
    std::optional<double> last() const { return values_.empty() ? std::nullopt : values_.back(); }
    /// The largest of those that are known, at least `least`.
    double top(double least) const;
    const std::deque<std::optional<double>>& values() const noexcept { return values_; }

private:
    std::deque<std::optional<double>> values_;
};

/// The newest `width` samples as bars of 1 to 8 eighths of `top`, one a column, blank where none is known.
std::string sparkline(const History& history, double top, std::size_t width, Charset charset);

}  // namespace banger::cli::tui
