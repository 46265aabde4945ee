// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/canvas.hpp"
#include "cli/tui/key.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

namespace banger::cli::tui {

/// A mouse button went down there, or its wheel turned.
struct MouseEvent {
    enum class Kind { Press, WheelUp, WheelDown };
    Kind kind{Kind::Press};
    Place place;
};
using InputEvent = std::variant<Key, MouseEvent>;

/// The terminal on standard input and output, by ncurses: the one place that knows it. There is one at a time.
class Screen {
public:
    enum class Colours { AsTheTerminalHas, None };
    /// Off: the terminal's own selecting of text works as usual.
    enum class Mouse { On, Off };

    /// Throws HostLacks where terminfo(5) doesn't know the terminal.
    Screen(Colours colours, Mouse mouse);
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    /// The terminal is as it was before.
    ~Screen();

    Size size() const;
    /// Asks the kernel how large the terminal is now.
    void resize();
    /// What is to be seen; only what has changed is sent.
    void show(const Canvas& canvas);
    /// All of it is sent anew, by the next show().
    void forget() { shown_.reset(); }
    /// What waits on standard input, one after the other; nullopt: nothing more does.
    std::optional<InputEvent> take_input();

    /// The terminal as it was before, for another program, until come_back().
    void step_aside();
    void come_back();
    bool is_aside() const noexcept { return is_aside_; }

private:
    struct Terminal;
    std::unique_ptr<Terminal> terminal_;
    std::optional<Canvas> shown_;
    bool is_aside_{false};
};

/// Throws InvalidArgument where standard input and output aren't a terminal, or one that can't be drawn on (TERM).
void check_terminal();
/// By the locale, which is set here from the environment.
Charset charset_of_locale();
/// https://no-color.org: NO_COLOR with any value but an empty one.
Screen::Colours colours_of_environment();

}  // namespace banger::cli::tui
