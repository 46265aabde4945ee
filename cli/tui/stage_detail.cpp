// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/stage.hpp"

#include "cli/tui/geometry.hpp"

#include <algorithm>

namespace banger::cli::tui {
namespace {

/// Who runs through a list wants no log of what is passed by.
constexpr EventLoop::Milliseconds until_looked{120};
/// Between two samples of one VM, and for each more of them, so that a hundred cost no more than a few do often: README.md has the figures.
constexpr EventLoop::Milliseconds least_interval{2000};
constexpr EventLoop::Milliseconds interval_of_one{80};

}  // namespace

/// After each screen: what is on it decides what is asked for.
void Stage::follow_screen()
{
    if (!agent_) {
        return;
    }
    follow_choice();
    if (session_->model.pane == Pane::Host && !has_looked_at_host_) {
        has_looked_at_host_ = true;
        feed_->ask_host();
        changed();
    }
    if (!numbers_ && !asks_numbers_) {
        follow_numbers(EventLoop::Milliseconds{0});
    }
}

void Stage::follow_choice()
{
    auto& model = session_->model;
    const auto* vm = model.pane == Pane::Vms && geometry_of(model).detail ? model.vms.chosen() : nullptr;
    if (vm == nullptr) {
        return;  // what was followed last goes on, and costs nothing unless the guest writes
    }
    const auto& log_name = model.detail.log_name;
    const bool is_same = looked_.id == vm->id && looked_.log_name == log_name;
    if (is_same && (log_ || looked_.state == vm->state)) {
        return;
    }
    looked_ = {vm->id, log_name, vm->state};
    log_.reset();
    model.detail.log.clear();
    model.detail.log_problem.clear();
    if (model.detail.id != vm->id) {
        model.detail.id = vm->id;
        model.detail.facts.clear();
    }
    look_ = loop_.after(until_looked, [this] { guarded([this] { look_at(looked_.id, looked_.log_name); }); });
    changed();
}

void Stage::look_at(const std::string& id, const std::string& log_name)
{
    feed_->ask_facts(id);
    feed_->open_log(id, log_name,
                    [this, id, log_name](const std::optional<Error>& problem, UniqueFd file, const std::string& path) {
                        if (looked_.id != id || looked_.log_name != log_name) {
                            return;  // another one has been chosen since
                        }
                        auto& detail = session_->model.detail;
                        if (problem) {
                            detail.log_problem =
                                problem->code() == ErrorCode::NotFound ? "it has no log yet" : problem->what();
                        } else {
                            follow_log(std::move(file), path);
                        }
                        changed();
                    });
}

void Stage::follow_log(UniqueFd file, const std::string& path)
{
    try {
        log_ = std::make_unique<LogFollower>(loop_, std::move(file), path, [this](std::string_view bytes) {
            session_->model.detail.log.feed(bytes);
            changed();
        });
    } catch (const Error& error) {  // as where a user has no inotify(7) instance left
        session_->model.detail.log_problem = error.what();
    }
}

/// The VMs that run and are on the screen.
std::vector<std::string> Stage::wanted_numbers()
{
    auto& model = session_->model;
    std::vector<std::string> ids;
    if (model.pane != Pane::Vms || session_->screen.is_aside()) {
        return ids;
    }
    const auto add = [&ids](const VmRow* vm) {
        if (vm != nullptr && vm->state == "running") {
            ids.push_back(vm->id);
        }
    };
    const auto rows = geometry_of(model).list_rows;
    if (rows == 0) {
        add(model.vms.chosen());
        return ids;
    }
    const auto& shown = model.vms.shown();
    const auto top = model.vms.top(rows);
    for (auto place = top; place < std::min(top + rows, shown.size()); ++place) {
        add(shown[place]);
    }
    return ids;
}

/// Manager.Stats is a method: bangerd has to ask each guest. So it is asked for what is seen alone, once an answer has come and some time has passed; with
/// nothing to be seen there is no timer.
void Stage::follow_numbers(EventLoop::Milliseconds delay)
{
    if (wanted_numbers().empty()) {
        return;
    }
    numbers_ = loop_.after(delay, [this] {
        guarded([this] {
            numbers_.reset();
            const auto ids = wanted_numbers();
            if (ids.empty()) {
                return;
            }
            asks_numbers_ = true;
            const auto interval = std::max(least_interval, interval_of_one * static_cast<int>(ids.size()));
            feed_->ask_numbers(ids, [this, interval] {
                asks_numbers_ = false;
                follow_numbers(interval);
            });
        });
    });
}

}  // namespace banger::cli::tui
