// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/view/log_reader.hpp"
#include "common/event_loop.hpp"

#include <functional>
#include <memory>
#include <string>

namespace banger::cli::tui {

/// Gives what is new in a log, from an event loop. A guest that writes without end costs a piece ten times a second: what can't be shown isn't read.
class LogFollower {
public:
    /// `take` gets the end of what is there at once, and then what comes. Throws as LogWatch.
    LogFollower(EventLoop& loop, UniqueFd file, std::string path, LogReader::Take take);

private:
    void look();
    void rest();
    void catch_up();

    EventLoop* loop_;
    LogReader reader_;
    LogWatch watch_;
    LogReader::Take take_;
    EventLoop::Source changed_;
    EventLoop::Source pause_;
};

}  // namespace banger::cli::tui
