// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <stop_token>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// Waits for a pipe, a socket or a terminal of somebody else's, which may never be ready, until somebody wants the work to end. Worker thread.
class StopWait {
public:
    explicit StopWait(std::stop_token stop);
    StopWait(const StopWait&) = delete;
    StopWait& operator=(const StopWait&) = delete;
    ~StopWait() = default;

    /// `events` as of poll(2); an error or a hang-up of the other end counts as ready. Throws Cancelled, Failed.
    void until_ready(int file, short events) const;

private:
    UniqueFd wake_;
    std::stop_token stop_;
    std::stop_callback<std::function<void()>> call_;
};

}  // namespace banger::agent
