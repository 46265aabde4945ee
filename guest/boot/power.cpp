// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/power.hpp"

#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace banger::guest {
namespace {

/// Waits until all children are gone (PID 1 is everybody's parent in the end), or the time is over.
bool reap_all(int limit_ms)
{
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::milliseconds{limit_ms};
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);  // blocked by the loop
    for (;;) {
        const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return true;
        }
        if (pid > 0) {
            continue;
        }
        const auto left = std::chrono::nanoseconds{deadline - Clock::now()}.count();
        if (left <= 0) {
            return false;
        }
        const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
        ::sigtimedwait(&child, nullptr, &wait);
    }
}

std::vector<std::string> mount_points()
{
    std::vector<std::string> points;
    std::ifstream file{"/proc/mounts"};
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields{line};
        std::string device;
        std::string point;
        fields >> device >> point;
        points.insert(points.begin(), point);  // the last mounted goes first
    }
    return points;
}

}  // namespace

void end_processes(int limit_ms)
{
    constexpr int kill_limit_ms = 2000;
    ::kill(-1, SIGTERM);
    ::kill(-1, SIGHUP);
    ::kill(-1, SIGCONT);
    if (!reap_all(limit_ms)) {
        ::kill(-1, SIGKILL);
        reap_all(kill_limit_ms);
    }
}

void end_file_systems()
{
    ::sync();
    for (const auto& point : mount_points()) {
        if (point != "/" && point != "/proc" && point != "/dev" && ::umount2(point.c_str(), 0) != 0) {
            ::mount(nullptr, point.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
        }
    }
    ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
    ::sync();
}

void end_machine(wire::ShutdownKind kind, bool reset_to_power_off)
{
    ::sync();
    const bool reset = reset_to_power_off || kind == wire::ShutdownKind::Reboot;
    ::reboot(reset ? RB_AUTOBOOT : RB_POWER_OFF);
}

}  // namespace banger::guest
