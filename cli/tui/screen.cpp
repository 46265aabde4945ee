// SPDX-License-Identifier: GPL-2.0-or-later
// Compiled by itself and with NCURSES_NOMACROS (cli/CMakeLists.txt): curses.h has names such as OK and move.
#include "cli/tui/screen.hpp"

#include "cli/relay/terminal.hpp"
#include "cli/view/output.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <string>
#include <string_view>

#include <curses.h>
#include <langinfo.h>
#include <unistd.h>

namespace banger::cli::tui {
namespace {

/// ncurses waits so long for what may follow an ESC before it takes it for the key.
constexpr int escape_delay_ms = 25;

enum Pair : short { PlainPair = 0, GoodPair = 1, BusyPair, BadPair, AccentPair };

struct Attributes {
    attr_t attributes{A_NORMAL};
    short pair{PlainPair};
};

/// Colours of the terminal's own palette on its own background, so that light and dark ones both do.
Attributes attributes_of(Ink ink, bool has_colours)
{
    const auto in_colour = [has_colours](short pair, attr_t instead) {
        return has_colours ? Attributes{A_NORMAL, pair} : Attributes{instead, PlainPair};
    };
    switch (ink) {
        case Ink::Dim:
            return {A_DIM, PlainPair};
        case Ink::Bold:
            return {A_BOLD, PlainPair};
        case Ink::Good:
            return in_colour(GoodPair, A_NORMAL);
        case Ink::Busy:
            return in_colour(BusyPair, A_NORMAL);
        case Ink::Bad:
            return has_colours ? Attributes{A_BOLD, BadPair} : Attributes{A_BOLD, PlainPair};
        case Ink::Accent:
            return in_colour(AccentPair, A_NORMAL);
        case Ink::Chosen:
            return {A_REVERSE, PlainPair};
        case Ink::Plain:
            break;
    }
    return {};
}

std::wstring wide(const std::string& text)
{
    std::wstring out(text.size(), L'\0');
    const auto length = std::mbstowcs(out.data(), text.c_str(), out.size());
    out.resize(length == static_cast<std::size_t>(-1) ? 0 : length);
    return out;
}

Key::Kind kind_of(wint_t code)
{
    switch (code) {
        case KEY_UP:
            return Key::Kind::Up;
        case KEY_DOWN:
            return Key::Kind::Down;
        case KEY_LEFT:
            return Key::Kind::Left;
        case KEY_RIGHT:
            return Key::Kind::Right;
        case KEY_PPAGE:
            return Key::Kind::PageUp;
        case KEY_NPAGE:
            return Key::Kind::PageDown;
        case KEY_HOME:
            return Key::Kind::Home;
        case KEY_END:
            return Key::Kind::End;
        case KEY_BTAB:
            return Key::Kind::BackTab;
        case KEY_ENTER:
            return Key::Kind::Enter;
        case KEY_BACKSPACE:
            return Key::Kind::Backspace;
        default:
            return Key::Kind::Other;
    }
}

Key key_of_character(wint_t character)
{
    constexpr wint_t escape = 0x1b;
    constexpr wint_t rubout = 0x7f;
    switch (character) {
        case L'\r':
        case L'\n':
            return {Key::Kind::Enter};
        case L'\t':
            return {Key::Kind::Tab};
        case L'\b':
        case rubout:
            return {Key::Kind::Backspace};
        case escape:
            return {Key::Kind::Escape};
        default:
            return {Key::Kind::Character, static_cast<char32_t>(character)};
    }
}

std::optional<MouseEvent> take_mouse()
{
    MEVENT event{};
    if (::getmouse(&event) != OK || event.x < 0 || event.y < 0) {
        return std::nullopt;
    }
    MouseEvent mouse{MouseEvent::Kind::Press, {static_cast<std::size_t>(event.y), static_cast<std::size_t>(event.x)}};
    if ((event.bstate & BUTTON4_PRESSED) != 0) {
        mouse.kind = MouseEvent::Kind::WheelUp;
    } else if ((event.bstate & BUTTON5_PRESSED) != 0) {
        mouse.kind = MouseEvent::Kind::WheelDown;
    } else if ((event.bstate & BUTTON1_PRESSED) == 0) {
        return std::nullopt;
    }
    return mouse;
}

void use_colours()
{
    ::start_color();
    if (::use_default_colors() != OK) {
        return;
    }
    constexpr short as_it_is = -1;
    ::init_pair(GoodPair, COLOR_GREEN, as_it_is);
    ::init_pair(BusyPair, COLOR_MAGENTA, as_it_is);  // yellow can't be read on white
    ::init_pair(BadPair, COLOR_RED, as_it_is);
    ::init_pair(AccentPair, COLOR_CYAN, as_it_is);
}

}  // namespace

struct Screen::Terminal {
    SCREEN* screen{nullptr};
    bool has_colours{false};
};

Screen::Screen(Colours colours, Mouse mouse) : terminal_{std::make_unique<Terminal>()}
{
    // newterm(), as initscr() ends the program where it fails.
    terminal_->screen = ::newterm(nullptr, stdout, stdin);
    if (terminal_->screen == nullptr) {
        throw Error{ErrorCode::HostLacks, "terminfo knows no terminal \"" + std::string{std::getenv("TERM")} +
                                              "\"; as root: apt install ncurses-term, or set TERM=xterm"};
    }
    ::set_term(terminal_->screen);
    ::cbreak();
    ::noecho();
    ::nonl();
    ::set_escdelay(escape_delay_ms);
    ::keypad(stdscr, TRUE);
    ::nodelay(stdscr, TRUE);
    ::intrflush(stdscr, FALSE);
    ::curs_set(0);
    ::mouseinterval(0);
    ::mousemask(mouse == Mouse::On ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, nullptr);
    terminal_->has_colours = colours == Colours::AsTheTerminalHas && ::has_colors();
    if (terminal_->has_colours) {
        use_colours();
    }
}

Screen::~Screen()
{
    if (is_aside_) {
        ::reset_shell_mode();  // whatever the other program left it in
    } else {
        ::endwin();
    }
    ::delscreen(terminal_->screen);
}

Size Screen::size() const
{
    return {static_cast<std::size_t>(std::max(0, ::getmaxy(stdscr))),
            static_cast<std::size_t>(std::max(0, ::getmaxx(stdscr)))};
}

void Screen::resize()
{
    const auto now = window_size();
    if (now.rows > 0 && now.columns > 0) {
        ::resizeterm(now.rows, now.columns);
        ::wclear(stdscr);
        forget();
    }
}

void Screen::show(const Canvas& canvas)
{
    if (is_aside_) {
        return;
    }
    if (!shown_ || shown_->size() != canvas.size()) {
        ::werase(stdscr);
        shown_.emplace(canvas.size(), canvas.charset());
    }
    const auto [rows, columns] = canvas.size();
    for (std::size_t row = 0; row < rows; ++row) {
        std::size_t begin = 0;
        while (begin < columns && canvas.at({row, begin}) == shown_->at({row, begin})) {
            ++begin;
        }
        if (begin == columns) {
            continue;  // and so a screen of hundreds of rows costs what has changed of it
        }
        for (std::size_t column = 0; column < columns;) {
            const auto ink = canvas.at({row, column}).ink;
            const auto first = column;
            std::string text;
            for (; column < columns && canvas.at({row, column}).ink == ink; ++column) {
                text += canvas.at({row, column}).glyph;
            }
            const auto look = attributes_of(ink, terminal_->has_colours);
            ::wattr_set(stdscr, look.attributes, look.pair, nullptr);
            ::wmove(stdscr, static_cast<int>(row), static_cast<int>(first));
            ::waddwstr(stdscr, wide(text).c_str());
        }
    }
    ::curs_set(canvas.cursor ? 1 : 0);
    if (canvas.cursor) {
        ::wmove(stdscr, static_cast<int>(canvas.cursor->row), static_cast<int>(canvas.cursor->column));
    }
    ::wrefresh(stdscr);
    shown_ = canvas;
}

std::optional<InputEvent> Screen::take_input()
{
    while (true) {
        wint_t code = 0;
        const int kind = ::wget_wch(stdscr, &code);
        if (kind == ERR) {
            return std::nullopt;
        }
        if (kind != KEY_CODE_YES) {
            return key_of_character(code);
        }
        if (code == KEY_MOUSE) {
            if (const auto mouse = take_mouse()) {
                return *mouse;
            }
        } else if (code != KEY_RESIZE) {
            return Key{kind_of(code)};
        }
    }
}

void Screen::step_aside()
{
    ::def_prog_mode();
    ::endwin();
    is_aside_ = true;
}

void Screen::come_back()
{
    is_aside_ = false;
    ::reset_prog_mode();
    resize();
    ::clearok(stdscr, TRUE);
    forget();
}

void check_terminal()
{
    if (!is_terminal(STDIN_FILENO) || !is_terminal(STDOUT_FILENO)) {
        throw Error{
            ErrorCode::InvalidArgument,
            "banger tui wants a terminal on standard input and output; banger vm list and banger vm stats --watch "
            "don't"};
    }
    const char* const type = std::getenv("TERM");
    const std::string_view name{type != nullptr ? type : ""};
    if (name.empty() || name == "dumb") {
        throw Error{ErrorCode::InvalidArgument, "nothing can be drawn on this terminal (TERM=" + std::string{name} +
                                                    "); set TERM to what it is, such as xterm, or use banger vm list"};
    }
}

Charset charset_of_locale()
{
    std::setlocale(LC_CTYPE, "");
    return std::string_view{::nl_langinfo(CODESET)} == "UTF-8" ? Charset::Utf8 : Charset::Ascii;
}

Screen::Colours colours_of_environment()
{
    const char* const wish = std::getenv("NO_COLOR");
    return wish != nullptr && *wish != '\0' ? Screen::Colours::None : Screen::Colours::AsTheTerminalHas;
}

}  // namespace banger::cli::tui
