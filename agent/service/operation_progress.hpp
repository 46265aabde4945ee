// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "agent/core/operation.hpp"
#include "agent/ports/artifact_maker.hpp"
#include "common/event_loop.hpp"

// How work on a lane tells of itself: an Operation is the loop's, so what is said of it is posted there.
namespace banger::agent {

/// `loop` outlives the work.
inline std::function<void(const std::string&)> tell_stage(EventLoop& loop, const OperationPtr& operation)
{
    return [&loop, operation](const std::string& stage) {
        loop.post([operation, stage] { operation->set_stage(stage); });
    };
}

inline std::function<void(double)> tell_fraction(EventLoop& loop, const OperationPtr& operation)
{
    return [&loop, operation](double fraction) {
        loop.post([operation, fraction] { operation->set_fraction(fraction); });
    };
}

inline MakingProgress progress_of(EventLoop& loop, const OperationPtr& operation)
{
    return {.stage = tell_stage(loop, operation), .stop = operation->stop_token()};
}

/// A progress with a fraction, too: RuntimeProgress, PullProgress.
template <typename Progress>
Progress progress_with_fraction(EventLoop& loop, const OperationPtr& operation)
{
    Progress progress;
    progress.stage = tell_stage(loop, operation);
    progress.fraction = tell_fraction(loop, operation);
    progress.stop = operation->stop_token();
    return progress;
}

}  // namespace banger::agent
