// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace banger::cli {

/// Writes to a descriptor that is shared with others (a standard stream) without ever blocking and without setting O_NONBLOCK on it, which
/// would be seen by the user's shell.
class Sink {
public:
    /// The descriptor stays the caller's.
    explicit Sink(int fd);

    /// What was taken, 0 when nothing can be now; nullopt with errno set when the stream is broken.
    std::optional<std::size_t> write(std::span<const char> data) noexcept;
    /// To be polled for POLLOUT after a write() of 0.
    int fd() const noexcept { return own_ ? own_.get() : fd_; }

private:
    enum class Kind {
        File,    ///< never blocks for long
        Socket,  ///< MSG_DONTWAIT does it
        Own,     ///< opened once more, with O_NONBLOCK
        Shared,  ///< may not be opened again: small pieces, each after a poll
    };
    int fd_;
    UniqueFd own_;
    Kind kind_;
    std::size_t piece_;  ///< what a poll for POLLOUT promises to take
};

}  // namespace banger::cli
