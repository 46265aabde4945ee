// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/actions.hpp"
#include "cli/tui/feed.hpp"
#include "cli/tui/log_follower.hpp"
#include "cli/tui/session.hpp"
#include "common/event_loop.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace banger::cli::tui {

/// One event loop and all that hangs on it. A loop lives as long as its connection to bangerd, or until a bangerd is found: sdbus-c++ 2.x ends it with the
/// bus, and an ended loop can't be used again.
class Stage {
public:
    enum class End { Quit, Lost, Found };

    /// `agent`: nullptr where one is to be found.
    Stage(Session& session, std::unique_ptr<Agent> agent);
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    End run();
    /// Of End::Found.
    std::unique_ptr<Agent> take_found() { return std::move(found_); }

private:
    // stage.cpp: what comes in, and the screen
    void end(End end);
    template <typename Work>
    void guarded(Work&& work) noexcept;
    void watch_input();
    void on_input(std::uint32_t events);
    void on_event(const InputEvent& event);
    void on_signal();
    void on_signal_without_shell(int signal);
    void suspend();
    void changed();
    void draw_now();
    void perform(const Intent& intent);

    // stage_shell.cpp: a shell in our place, or a command with a progress of its own
    void begin_shell(const Intent& intent);
    void begin_export(const Intent& intent);
    void begin_in_our_place(std::vector<std::string> words);
    void watch_shell();
    void on_shell_ended();
    void on_enter();
    void come_back();

    // stage_detail.cpp: what is asked for as long as it is on the screen
    void follow_screen();
    void follow_choice();
    void look_at(const std::string& id, const std::string& log_name);
    void follow_log(UniqueFd file, const std::string& path);
    std::vector<std::string> wanted_numbers();
    void follow_numbers(EventLoop::Milliseconds delay);

    // stage_finding.cpp: bangerd looked for by a child, as that may take long
    void find_soon(EventLoop::Milliseconds delay);
    void find_now();
    void on_finder_words();
    void on_finder_ended(const std::string& words, int exit_code);

    Session* session_;
    EventLoop loop_;
    bool has_ended_{false};
    End end_{End::Lost};
    std::unique_ptr<Agent> agent_;
    std::optional<bus::LoopAttachment> attachment_;
    std::optional<Remote> remote_;
    std::optional<Feed> feed_;
    std::optional<Actions> actions_;

    Canvas shown_;
    std::chrono::steady_clock::time_point drawn_{};
    EventLoop::Source input_;
    EventLoop::Source signal_;
    EventLoop::Source redraw_;

    EventLoop::Source shell_;

    /// What of the model's choice has been asked for.
    struct Looked {
        std::string id;
        std::string log_name;
        std::string state;
    };
    Looked looked_;
    std::unique_ptr<LogFollower> log_;
    EventLoop::Source look_;
    EventLoop::Source numbers_;
    bool asks_numbers_{false};
    bool has_looked_at_host_{false};

    std::unique_ptr<Child> finder_;
    std::string finder_words_;
    std::unique_ptr<Agent> found_;
    EventLoop::Source finding_;
    EventLoop::Milliseconds pause_{500};
};

/// A callback that throws would end the program, and leave the terminal as it is.
template <typename Work>
void Stage::guarded(Work&& work) noexcept
{
    try {
        work();
    } catch (const std::exception& failure) {
        session_->model.say(failure.what(), Ink::Bad);
        redraw_.reset();
        changed();
    }
}

}  // namespace banger::cli::tui
