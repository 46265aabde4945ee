// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/leftovers.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <utility>

namespace banger::guest {
namespace {

constexpr std::chrono::milliseconds kill_limit{1000};

}  // namespace

std::string own_control_group()
{
    constexpr std::string_view unified = "0::";
    std::ifstream file{"/proc/self/cgroup"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(unified)) {
            return "/sys/fs/cgroup" + line.substr(unified.size());
        }
    }
    return "";
}

std::vector<pid_t> Leftovers::others() const
{
    std::vector<pid_t> pids;
    std::ifstream file{group_ + "/cgroup.procs"};
    for (pid_t pid = 0; file >> pid;) {
        if (pid > 0 && pid != ::getpid()) {
            pids.push_back(pid);
        }
    }
    return pids;
}

void Leftovers::end(std::chrono::milliseconds limit, std::function<void()> done)
{
    done_ = std::move(done);
    signal_ = SIGTERM;
    limit_ = loop_.after(limit, [this] {
        signal_ = SIGKILL;
        waiting_.clear();
        limit_ = loop_.after(kill_limit, [this] { finish(); });
        round();
    });
    round();
}

void Leftovers::round()
{
    for (const auto pid : others()) {
        if (waiting_.contains(pid)) {
            continue;
        }
        UniqueFd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
        if (!fd || ::syscall(SYS_pidfd_send_signal, fd.get(), signal_, nullptr, 0) != 0) {
            continue;  // it has just ended
        }
        ::syscall(SYS_pidfd_send_signal, fd.get(), SIGCONT, nullptr, 0);
        auto watch = loop_.watch(fd.get(), EPOLLIN, [this, pid](std::uint32_t) {
            waiting_.erase(pid);
            if (waiting_.empty()) {
                round();
            }
        });
        waiting_.emplace(pid, Process{std::move(fd), std::move(watch)});
    }
    if (waiting_.empty()) {
        finish();
    }
}

void Leftovers::finish()
{
    limit_.reset();
    waiting_.clear();
    if (const auto done = std::exchange(done_, nullptr)) {
        done();
    }
}

}  // namespace banger::guest
