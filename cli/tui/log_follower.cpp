// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/log_follower.hpp"

#include "common/error.hpp"

namespace banger::cli::tui {
namespace {

constexpr std::uint64_t most_at_once = 64 << 10;
constexpr EventLoop::Milliseconds between_pieces{100};

}  // namespace

LogFollower::LogFollower(EventLoop& loop, UniqueFd file, std::string path, LogReader::Take take)
    : loop_{&loop}, reader_{std::move(file), path, 0}, watch_{path}, take_{std::move(take)}
{
    reader_.read_last(most_at_once, take_);
    look();
}

void LogFollower::look()
{
    changed_ = loop_->on_io(watch_.fd(), EventLoop::readable, [this](std::uint32_t) {
        try {
            catch_up();
        } catch (const Error&) {
            changed_.reset();  // what was shown stays; the VM's own events tell what became of it
        }
    });
}

void LogFollower::catch_up()
{
    const bool has_folder = watch_.take();
    reader_.read_last(most_at_once, take_);
    if (reader_.reopen()) {
        watch_.watch_file();
        reader_.read_last(most_at_once, take_);
    }
    if (has_folder) {
        rest();
    } else {
        changed_.reset();
    }
}

/// Changes wait meanwhile, and are one.
void LogFollower::rest()
{
    changed_.reset();
    pause_ = loop_->after(between_pieces, [this] { look(); });
}

}  // namespace banger::cli::tui
