// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/stage.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <unistd.h>

namespace banger::cli::tui {
namespace {

constexpr EventLoop::Milliseconds longest_pause{8000};
constexpr std::size_t most_words = 16384;

/// The last line that says something, without the program's name.
std::string last_line_of(std::string words)
{
    words.erase(words.find_last_not_of(" \r\n") + 1);
    const auto begin = words.rfind('\n');
    auto line = begin == std::string::npos ? words : words.substr(begin + 1);
    constexpr std::string_view name = "banger: ";
    return line.starts_with(name) ? line.substr(name.size()) : line;
}

}  // namespace

void Stage::find_soon(EventLoop::Milliseconds delay)
{
    finding_ = loop_.after(delay, [this] { guarded([this] { find_now(); }); });
}

/// Starting bangerd may take half a minute, and a bus may be slow: a process of its own waits for that, and prints the bus's address.
void Stage::find_now()
{
    finder_words_.clear();
    try {
        finder_ = std::make_unique<Child>(std::vector<std::string>{"internal", "wake"}, Child::Streams::Pipe);
    } catch (const Error& error) {
        on_finder_ended(error.what(), 1);
        return;
    }
    finding_ = loop_.on_io(finder_->pipe(), EventLoop::readable,
                           [this](std::uint32_t) { guarded([this] { on_finder_words(); }); });
}

void Stage::on_finder_words()
{
    std::array<char, 4096> piece{};
    const auto got = ::read(finder_->pipe(), piece.data(), piece.size());
    if (got > 0) {
        if (finder_words_.size() < most_words) {
            finder_words_.append(piece.data(), static_cast<std::size_t>(got));
        }
        return;
    }
    if (got < 0 && errno == EINTR) {
        return;
    }
    // It has closed its streams, and so it ends now; only then does its code tell how it went.
    finding_ = loop_.on_io(finder_->ended_fd(), EventLoop::readable, [this](std::uint32_t) {
        guarded([this] {
            const int code = finder_->exit_code();
            finder_.reset();
            on_finder_ended(finder_words_, code);
        });
    });
}

void Stage::on_finder_ended(const std::string& words, int exit_code)
{
    auto problem = last_line_of(words);
    if (exit_code == 0) {
        try {
            found_ = std::make_unique<Agent>(bus::open_bus(problem));
            end(End::Found);
            return;
        } catch (const Error& error) {
            problem = error.what();
        }
    }
    session_->model.link_problem = problem;
    pause_ = std::min(pause_ * 2, longest_pause);
    find_soon(pause_);
    changed();
}

}  // namespace banger::cli::tui
