// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.hpp"

#include <initializer_list>
#include <optional>
#include <string_view>

#include <signal.h>

namespace banger::cli {

/// Takes signals as messages while it lives, so that none ends the program half-way. Those that the caller of banger ignores (nohup, a
/// shell's background jobs) stay ignored.
class SignalInbox {
public:
    explicit SignalInbox(std::initializer_list<int> signals);
    SignalInbox(const SignalInbox&) = delete;
    SignalInbox& operator=(const SignalInbox&) = delete;
    /// Restores the signal mask; what nobody took then takes its usual course.
    ~SignalInbox();

    /// Readable when a signal waits.
    int fd() const noexcept { return fd_.get(); }
    std::optional<int> take() noexcept;

private:
    friend class SignalsAsUsual;
    sigset_t before_;
    UniqueFd fd_;
};

/// Signals take their usual course while this lives, although there is an inbox: for a question, which Ctrl-C is to end.
class SignalsAsUsual {
public:
    explicit SignalsAsUsual(const SignalInbox& inbox);
    SignalsAsUsual(const SignalsAsUsual&) = delete;
    SignalsAsUsual& operator=(const SignalsAsUsual&) = delete;
    ~SignalsAsUsual();

private:
    sigset_t held_;
};

/// Stops this program as Ctrl-Z does, until a shell lets it go on. Comes back at once where no shell could, as in a window of its own: there
/// SIGTSTP does nothing (an orphaned process group, setpgid(2)), while SIGSTOP would stop it for ever.
void stop_as_a_job() noexcept;

/// Ends with 128 + N, as a shell says it.
constexpr int exit_code_of_signal(int signal) noexcept { return 128 + signal; }

/// Shape: a number 1 to 64, or a name such as KILL, SIGKILL, kill, RTMIN+3. Throws InvalidArgument.
int parse_signal(std::string_view text);

}  // namespace banger::cli
