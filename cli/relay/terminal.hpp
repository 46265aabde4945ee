// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include <termios.h>

namespace banger::cli {

struct WindowSize {
    std::uint16_t rows{0};  ///< 0: not known
    std::uint16_t columns{0};
};
/// Of the first of standard output, input and error that is a terminal.
WindowSize window_size() noexcept;

/// A terminal in raw mode, where each key goes to the guest; put back by the destructor.
class RawTerminal {
public:
    /// Does nothing where `fd` is no terminal.
    explicit RawTerminal(int fd) noexcept;
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal();
    /// Once more, as after a stop and continue, when the shell has put it back.
    void enter() noexcept;

private:
    int fd_;
    std::optional<termios> before_;
};

}  // namespace banger::cli
