// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cli/view/progress.hpp"

namespace banger::cli {

/// Shows on a terminal how much went over; in a pipe a copy is silent, as cp is.
class Meter {
public:
    /// `whole`: bytes in all, 0 where nobody knows.
    Meter(std::string name, bool quiet, std::uint64_t whole = 0);
    void pass(std::size_t bytes);

private:
    using Clock = std::chrono::steady_clock;

    std::string name_;
    std::unique_ptr<Progress> progress_;
    std::uint64_t whole_;
    std::uint64_t total_{0};
    Clock::time_point shown_{Clock::now()};
};

}  // namespace banger::cli
