// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace banger::cli::tui {

/// A `banger WORDS…` that this one has started: the same program (/proc/self/exe), found again whatever PATH says.
class Child {
public:
    enum class Streams { Terminal, Pipe };

    /// With Streams::Terminal it has our standard streams; with Streams::Pipe its output and errors come by pipe(), and it has no input.
    /// Throws Failed.
    Child(std::vector<std::string> words, Streams streams);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    /// One that still runs is ended and waited for.
    ~Child();

    /// Readable when it has ended.
    int ended_fd() const noexcept { return process_.get(); }
    int pipe() const noexcept { return pipe_.get(); }
    void send(int signal) const noexcept;
    /// As a shell has it, 128 and the signal that ended it. Once it has ended.
    int exit_code();

private:
    pid_t pid_{-1};
    UniqueFd process_;
    UniqueFd pipe_;
};

}  // namespace banger::cli::tui
