// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/task.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/error.hpp"
#include "common/pipe.hpp"
#include "guest/core/fd_pump.hpp"
#include "guest/core/spawn.hpp"
#include "guest/wire/mux.hpp"

namespace banger::guest {
namespace {

void run_child(std::vector<int> keep, int result_fd, const Task::Work& work)
{
    keep.push_back(result_fd);
    close_others(std::move(keep));
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const wire::Bytes result = work();
    for (std::size_t sent = 0; sent < result.size();) {
        const auto count = ::write(result_fd, result.data() + sent, result.size() - sent);
        if (count <= 0 && errno != EINTR) {
            return;
        }
        sent += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
}

}  // namespace

Task::Task(Loop& loop, std::vector<int> keep, Work work, Done done) : loop_{loop}, done_{std::move(done)}
{
    auto pipe = make_pipe("a task");
    result_fd_ = std::move(pipe.read);
    const auto child_end = std::move(pipe.write);
    pid_ = ::fork();
    if (pid_ == 0) {
        try {
            run_child(std::move(keep), child_end.get(), work);
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    if (pid_ < 0) {
        throw errno_error("No process for a task", errno);
    }
    set_nonblocking(result_fd_.get());
    watch_ = loop_.watch(result_fd_.get(), EPOLLIN, [this](std::uint32_t) { read_result(); });
    loop_.on_child(pid_, [this](int) {
        running_ = false;
        finish_if_done();
    });
}

Task::~Task()
{
    if (running_ && pid_ > 0) {
        loop_.forget_child(pid_);
        ::kill(pid_, SIGKILL);
    }
}

void Task::read_result()
{
    std::array<std::uint8_t, 16384> buffer;  // NOLINT: filled by read
    const auto count = ::read(result_fd_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count > 0 && result_.size() < wire::max_message) {
        result_.insert(result_.end(), buffer.begin(), buffer.begin() + count);
        return;
    }
    watch_.reset();
    result_fd_.reset();
    finish_if_done();
}

void Task::finish_if_done()
{
    if (!running_ && !result_fd_) {
        const auto done = std::exchange(done_, nullptr);
        if (done) {
            done(result_);  // may destroy this
        }
    }
}

}  // namespace banger::guest
