// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/stage.hpp"

#include "cli/view/output.hpp"

#include <array>
#include <cerrno>

#include <unistd.h>

namespace banger::cli::tui {
namespace {

/// A shell that ends sooner, and badly, never was one: what it said is to be read.
constexpr std::chrono::seconds too_short{2};

}  // namespace

/// By the VM's id, which unlike a name of whatever kind never looks like an option; the words behind a -- would be the guest's.
void Stage::begin_shell(const Intent& intent)
{
    session_->shell_task.clear();
    begin_in_our_place({"vm", intent.verb == Verb::Ssh ? "ssh" : "exec", intent.target});
}

/// The form is done: from here on the command says what it doesn't like.
void Stage::begin_export(const Intent& intent)
{
    session_->model.form.reset();
    session_->shell_task = "export " + intent.name;
    begin_in_our_place(words_to_export(intent));
}

/// The CLI's own command, as a child on this terminal.
void Stage::begin_in_our_place(std::vector<std::string> words)
{
    auto& session = *session_;
    input_.reset();
    session.screen.step_aside();
    try {
        session.shell = std::make_unique<Child>(std::move(words), Child::Streams::Terminal);
    } catch (const Error& error) {
        come_back();
        session.model.say(error.what(), Ink::Bad);
        draw_now();
        return;
    }
    session.shell_began = std::chrono::steady_clock::now();
    watch_shell();
}

/// Meanwhile the loop goes on, so that what bangerd says doesn't pile up in the bus.
void Stage::watch_shell()
{
    shell_ = loop_.on_io(session_->shell->ended_fd(), EventLoop::readable,
                         [this](std::uint32_t) { guarded([this] { on_shell_ended(); }); });
}

void Stage::on_shell_ended()
{
    auto& session = *session_;
    shell_.reset();
    const int code = session.shell->exit_code();
    session.shell.reset();
    const bool is_early = std::chrono::steady_clock::now() - session.shell_began < too_short;
    const bool has_words = code != 0 && (is_early || !session.shell_task.empty());
    if (!has_words) {
        if (!session.shell_task.empty()) {
            session.model.say(session.shell_task + ": done", Ink::Good);
        }
        come_back();
        return;
    }
    session.waits_for_enter = true;
    print("\nThat ended with " + std::to_string(code) + ". Enter leads back.\n");
    watch_input();
}

void Stage::on_enter()
{
    std::array<char, 256> typed{};
    const auto got = ::read(STDIN_FILENO, typed.data(), typed.size());
    if (got < 0 && errno == EINTR) {
        return;
    }
    const std::string_view text{typed.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    if (got <= 0 || text.find_first_of("\r\n") != std::string_view::npos) {
        session_->waits_for_enter = false;
        come_back();
    }
}

void Stage::come_back()
{
    session_->screen.come_back();
    watch_input();
    draw_now();
}

}  // namespace banger::cli::tui
