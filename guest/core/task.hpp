// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/unique_fd.hpp"
#include "guest/core/loop.hpp"
#include "guest/wire/frame.hpp"

namespace banger::guest {

/// Blocking work in a forked child of this program, so that a slow disk or a crash in a library stops nothing else. The
/// child gives its result as bytes over a pipe.
class Task {
public:
    /// Runs in the child. What it throws as banger::Error becomes the result of `failed`.
    using Work = std::function<wire::Bytes()>;
    /// Runs in the parent, once, after the child has ended; empty bytes: it crashed or was killed.
    using Done = std::function<void(const wire::Bytes& result)>;

    /// `keep`: descriptors above 2 that the child uses. Throws Failed.
    Task(Loop& loop, std::vector<int> keep, Work work, Done done);
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    /// Kills the child if it still runs.
    ~Task();

private:
    void read_result();
    void finish_if_done();

    Loop& loop_;
    Done done_;
    pid_t pid_{-1};
    bool running_{true};
    UniqueFd result_fd_;
    Loop::Watch watch_;
    wire::Bytes result_;
};

}  // namespace banger::guest
