// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/stage.hpp"

#include "cli/tui/draw.hpp"
#include "cli/tui/keys.hpp"

#include <array>
#include <csignal>

#include <unistd.h>

namespace banger::cli::tui {
namespace {

using Clock = std::chrono::steady_clock;

/// However much changes, so often is it drawn; what a key does is drawn at once.
constexpr EventLoop::Milliseconds between_screens{50};
constexpr std::ptrdiff_t rows_of_a_wheel = 3;

}  // namespace

Stage::Stage(Session& session, std::unique_ptr<Agent> agent)
    : session_{&session}, agent_{std::move(agent)}, shown_{{}, session.charset}
{
    signal_ = loop_.on_io(session.signals.fd(), EventLoop::readable,
                          [this](std::uint32_t) { guarded([this] { on_signal(); }); });
    if (session.shell) {
        watch_shell();
    } else {
        watch_input();
    }
    if (!agent_) {
        find_soon(pause_);
        return;
    }
    attachment_.emplace(agent_->connection(), loop_, [this] { end(End::Lost); });
    remote_.emplace(agent_->connection());
    const auto tell = [this] { changed(); };
    feed_.emplace(agent_->connection(), loop_, *remote_, session.model, FeedListener{tell, [this] { end(End::Lost); }});
    actions_.emplace(*remote_, session.model, tell);
    feed_->begin();
}

Stage::End Stage::run()
{
    draw_now();
    loop_.run();
    return end_;
}

void Stage::end(End end)
{
    has_ended_ = true;
    end_ = end;
    loop_.quit(0);
}

void Stage::watch_input()
{
    input_.reset();  // two of one descriptor can't be
    input_ = loop_.on_io(STDIN_FILENO, EventLoop::readable,
                         [this](std::uint32_t events) { guarded([this, events] { on_input(events); }); });
}

void Stage::on_input(std::uint32_t events)
{
    if ((events & ~EventLoop::readable) != 0) {  // the terminal has gone, and SIGHUP is ignored
        session_->exit_code = exit_code_of_signal(SIGHUP);
        end(End::Quit);
        return;
    }
    if (session_->waits_for_enter) {
        on_enter();
        return;
    }
    while (const auto event = session_->screen.take_input()) {
        on_event(*event);
        if (has_ended_ || session_->shell || session_->screen.is_aside()) {
            return;  // what follows is the shell's
        }
    }
    draw_now();
}

void Stage::on_event(const InputEvent& event)
{
    auto& model = session_->model;
    if (const auto* key = std::get_if<Key>(&event)) {
        if (const auto intent = press(model, *key)) {
            perform(*intent);
        }
        return;
    }
    const auto& mouse = std::get<MouseEvent>(event);
    if (mouse.kind != MouseEvent::Kind::Press) {
        scroll(model, mouse.kind == MouseEvent::Kind::WheelUp ? -rows_of_a_wheel : rows_of_a_wheel);
    } else if (const auto* spot = shown_.spot_at(mouse.place)) {
        click(model, *spot);
    }
}

void Stage::perform(const Intent& intent)
{
    if (intent.verb == Verb::Quit) {
        end(End::Quit);
    } else if (intent.verb == Verb::Shell || intent.verb == Verb::Ssh) {
        begin_shell(intent);
    } else if (intent.verb == Verb::Export) {
        begin_export(intent);
    } else if (!agent_) {
        session_->model.say("bangerd is away; it is looked for", Ink::Bad);
    } else if (intent.verb == Verb::Examine) {
        feed_->ask_host();
    } else {
        actions_->run(intent);
    }
}

void Stage::on_signal()
{
    while (const auto signal = session_->signals.take()) {
        const bool is_the_shells = *signal == SIGINT || *signal == SIGQUIT || *signal == SIGTSTP;
        if (*signal == SIGWINCH) {
            if (!session_->screen.is_aside()) {
                session_->screen.resize();
                draw_now();
            }
        } else if (!is_the_shells || !session_->screen.is_aside()) {
            on_signal_without_shell(*signal);
        }
    }
}

void Stage::on_signal_without_shell(int signal)
{
    if (signal == SIGTSTP) {
        suspend();
        return;
    }
    if (session_->shell) {
        session_->shell->send(SIGHUP);
    }
    session_->exit_code = exit_code_of_signal(signal);
    end(End::Quit);
}

/// As any program does on Ctrl-Z, but with the terminal in order.
void Stage::suspend()
{
    session_->screen.step_aside();
    stop_as_a_job();
    come_back();
}

void Stage::changed()
{
    if (!redraw_) {
        const auto since = std::chrono::duration_cast<EventLoop::Milliseconds>(Clock::now() - drawn_);
        redraw_ = loop_.after(std::max(EventLoop::Milliseconds{0}, between_screens - since),
                              [this] { guarded([this] { draw_now(); }); });
    }
}

void Stage::draw_now()
{
    redraw_.reset();
    if (!session_->screen.is_aside()) {
        session_->model.size = session_->screen.size();
        shown_ = draw(session_->model, session_->charset);
        session_->screen.show(shown_);
        drawn_ = Clock::now();
    }
    follow_screen();
}

}  // namespace banger::cli::tui
