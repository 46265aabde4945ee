// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/system_bus.hpp"

#include <csignal>
#include <system_error>
#include <thread>

namespace banger::agent {

void Landing::bring(std::function<void()> task)
{
    const std::lock_guard lock{mutex_};
    if (loop_ != nullptr) {
        loop_->post(std::move(task));
    }
}

void Landing::close()
{
    const std::lock_guard lock{mutex_};
    loop_ = nullptr;
}

bool run_aside(std::function<void()> work)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // which the thread inherits
    bool begun = true;
    try {
        std::thread{std::move(work)}.detach();
    } catch (const std::system_error&) {
        begun = false;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return begun;
}

}  // namespace banger::agent
