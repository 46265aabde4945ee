// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/remote/companion.hpp"

#include "cli/spawn.hpp"
#include "common/error.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::cli {
namespace {

int wait_for_companion(pid_t pid) noexcept
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace

Companion::Companion(const std::string& program, std::vector<std::string> words, const Streams& streams)
{
    const SpawnAttributes attributes;
    const SpawnStreams its_streams{streams.input, streams.output, streams.error};
    const int problem =
        ::posix_spawnp(&pid_, program.c_str(), its_streams.get(), attributes.get(), pointers_to(words).data(), environ);
    if (problem != 0) {
        pid_ = -1;
        throw errno_error("can't run " + words.front(), problem,
                          problem == ENOENT ? ErrorCode::HostLacks : ErrorCode::Failed);
    }
    // Not pidfd_open(): the header of glibc 2.36 declares it without C linkage. Not waited for yet, so the number is its own.
    process_ = UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
    if (!process_) {
        const int no_watch = errno;
        send(SIGKILL);
        wait_for_companion(std::exchange(pid_, -1));
        throw errno_error("can't watch " + words.front(), no_watch);
    }
}

Companion::~Companion()
{
    if (pid_ > 0) {
        send(SIGKILL);
        wait_for_companion(pid_);
    }
}

void Companion::send(int signal) const noexcept
{
    if (pid_ > 0) {
        ::kill(pid_, signal);
    }
}

int Companion::wait(SignalInbox& signals, int tie)
{
    // Without events poll(2) tells of errors and hang-ups alone.
    std::array<pollfd, 3> watched{{{process_.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}, {tie, 0, 0}}};
    for (;;) {
        if (::poll(watched.data(), watched.size(), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw errno_error("can't wait for it", errno);
        }
        if (watched[0].revents != 0) {
            const int status = wait_for_companion(std::exchange(pid_, -1));
            return WIFSIGNALED(status) ? exit_code_of_signal(WTERMSIG(status)) : WEXITSTATUS(status);
        }
        if (watched[1].revents != 0) {
            if (const auto signal = signals.take()) {
                send(*signal);
            }
        }
        if (watched[2].revents != 0) {
            send(SIGHUP);
            watched[2].fd = -1;
        }
    }
}

}  // namespace banger::cli
