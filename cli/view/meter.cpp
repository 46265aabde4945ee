// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/meter.hpp"

#include <unistd.h>

#include <algorithm>

#include "cli/view/output.hpp"
#include "common/size.hpp"

namespace banger::cli {
namespace {

constexpr std::chrono::milliseconds interval{500};

}  // namespace

Meter::Meter(std::string name, bool quiet, std::uint64_t whole)
    : name_{std::move(name)},
      progress_{make_progress(quiet || !is_terminal(STDERR_FILENO) ? ProgressForm::Silent : ProgressForm::Automatic)},
      whole_{whole}
{
}

void Meter::pass(std::size_t bytes)
{
    total_ += bytes;
    if (const auto now = Clock::now(); now - shown_ >= interval) {
        shown_ = now;
        constexpr double unknown = -1;
        const auto fraction =
            whole_ == 0 ? unknown : std::min(1.0, static_cast<double>(total_) / static_cast<double>(whole_));
        progress_->at_stage(name_, ByteSize{total_}.to_string() + " copied", fraction);
    }
}

}  // namespace banger::cli
