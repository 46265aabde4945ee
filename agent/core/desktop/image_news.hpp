// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "agent/core/desktop/notice.hpp"
#include "agent/core/operation.hpp"

namespace banger::agent {

/// Images that took so long to build or to pull that whoever waits for one has turned to something else by now.
class ImageNews {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds long_wait{30};

    /// As an operation begins, and when it has ended. Of others than builds and pulls, of short ones and of cancelled ones there is no news.
    std::optional<Notice> look(const Operation& operation, Time now);

private:
    std::map<std::uint64_t, Time> begun_;  ///< by the operation's id
};

}  // namespace banger::agent
