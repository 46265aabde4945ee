// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace banger::cli {

/// Shows on standard error how long work goes.
class Progress {
public:
    virtual ~Progress() = default;
    /// `target` is at `stage` now; `fraction` of it is done, or -1.
    virtual void at_stage(const std::string& target, const std::string& stage, double fraction) = 0;
    /// `target` has ended.
    virtual void ended(const std::string& target, bool well) = 0;
    /// Some time has passed.
    virtual void tick() {}
    /// How often tick() is wanted; 0: never.
    virtual std::chrono::milliseconds tick_interval() const { return std::chrono::milliseconds{0}; }
    /// Leaves the terminal's line empty for other words.
    virtual void pause() {}
};

enum class ProgressForm {
    Automatic,  ///< one line, drawn again, on a terminal; else a line a stage
    Json,       ///< a JSON object a line
    Silent,
};
std::unique_ptr<Progress> make_progress(ProgressForm form);

}  // namespace banger::cli
