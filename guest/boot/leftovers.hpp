// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "guest/core/loop.hpp"

namespace banger::guest {

/// Ends what commands left behind, before systemd's last round does: that one waits 90 s for a process that ignores SIGTERM.
class Leftovers {
public:
    /// `group`: a folder of cgroup2 whose processes are meant; this program itself is not.
    Leftovers(Loop& loop, std::string group) : loop_{loop}, group_{std::move(group)} {}

    /// SIGTERM to all, at `limit` SIGKILL; `done` runs once they are gone, or could not be killed.
    void end(std::chrono::milliseconds limit, std::function<void()> done);

private:
    struct Process {
        UniqueFd fd;
        Loop::Watch watch;
    };
    std::vector<pid_t> others() const;
    /// Signals those that have not been yet; finishes when there is nobody.
    void round();
    void finish();

    Loop& loop_;
    std::string group_;
    int signal_{0};
    std::map<pid_t, Process> waiting_;
    std::function<void()> done_;
    Loop::Timer limit_;
};

/// The cgroup2 folder that this process is in; empty when there is none.
std::string own_control_group();

}  // namespace banger::guest
