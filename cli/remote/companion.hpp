// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/signals.hpp"
#include "common/unique_fd.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace banger::cli {

/// A program that does the work of this one, which waits for it and passes signals on.
class Companion {
public:
    struct Streams {
        int input;
        int output;
        int error;
    };

    /// `program`: a path, or a name that is looked for in PATH; `words` begin with its name. Throws HostLacks (it isn't there), Failed.
    Companion(const std::string& program, std::vector<std::string> words, const Streams& streams);
    Companion(const Companion&) = delete;
    Companion& operator=(const Companion&) = delete;
    /// Kills it where nobody has waited for its end.
    ~Companion();

    /// Its exit code, or 128 and the signal that ended it. When nobody holds the other end of `tie` any more, a pipe or a socket, it gets SIGHUP, as
    /// from a terminal that is closed; -1: there is none.
    int wait(SignalInbox& signals, int tie);

private:
    void send(int signal) const noexcept;

    pid_t pid_{-1};
    UniqueFd process_;
};

}  // namespace banger::cli
