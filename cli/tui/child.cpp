// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/child.hpp"

#include "cli/signals.hpp"
#include "cli/spawn.hpp"
#include "common/error.hpp"
#include "common/pipe.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::cli::tui {
namespace {

constexpr auto own_program = "/proc/self/exe";

/// It is stopped by nobody while it has the terminal: who could let it go on sees nothing but it. What is ignored is so for what is started, too.
class NoStops {
public:
    NoStops() noexcept : before_{std::signal(SIGTSTP, SIG_IGN)} {}
    NoStops(const NoStops&) = delete;
    NoStops& operator=(const NoStops&) = delete;
    ~NoStops() { std::signal(SIGTSTP, before_); }

private:
    void (*before_)(int);
};

int wait_for_child(pid_t pid) noexcept
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace

Child::Child(std::vector<std::string> words, Streams streams)
{
    words.insert(words.begin(), "banger");
    UniqueFd null;
    UniqueFd output;
    if (streams == Streams::Pipe) {
        null = UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        if (!null) {
            throw errno_error("can't start banger " + words[1], errno);
        }
        auto pipe = make_pipe("banger " + words[1]);
        pipe_ = std::move(pipe.read);
        output = std::move(pipe.write);
    }
    const bool piped = streams == Streams::Pipe;
    const SpawnAttributes attributes;
    const SpawnStreams its_streams{piped ? null.get() : STDIN_FILENO, piped ? output.get() : STDOUT_FILENO,
                                   piped ? output.get() : STDERR_FILENO};
    const NoStops held;
    const int problem =
        ::posix_spawn(&pid_, own_program, its_streams.get(), attributes.get(), pointers_to(words).data(), environ);
    if (problem != 0) {
        pid_ = -1;
        throw errno_error("can't start banger " + words[1], problem);
    }
    // Not pidfd_open(): the header of glibc 2.36 declares it without C linkage. Not waited for yet, so the number is its own.
    process_ = UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
    if (!process_) {
        const int no_watch = errno;
        send(SIGKILL);
        wait_for_child(std::exchange(pid_, -1));
        throw errno_error("can't watch banger " + words[1], no_watch);
    }
}

Child::~Child()
{
    if (pid_ > 0) {
        send(SIGKILL);
        wait_for_child(pid_);
    }
}

void Child::send(int signal) const noexcept
{
    if (pid_ > 0) {
        ::kill(pid_, signal);
    }
}

int Child::exit_code()
{
    const int status = wait_for_child(std::exchange(pid_, -1));
    return WIFSIGNALED(status) ? exit_code_of_signal(WTERMSIG(status)) : WEXITSTATUS(status);
}

}  // namespace banger::cli::tui
