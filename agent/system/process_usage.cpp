// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <string>

#include "agent/ports/process_host.hpp"

namespace banger::agent {

std::optional<ProcessUsage> process_usage(const ProcessId& process)
{
    clockid_t clock{};
    timespec used{};
    if (!process || ::clock_getcpuclockid(process.pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
        return std::nullopt;
    }
    std::ifstream statm{"/proc/" + std::to_string(process.pid) + "/statm"};
    std::uint64_t size = 0;
    std::uint64_t resident = 0;  // pages; proc(5)
    if (!(statm >> size >> resident)) {
        return std::nullopt;
    }
    constexpr std::uint64_t ns_per_s = 1'000'000'000;
    return ProcessUsage{static_cast<std::uint64_t>(used.tv_sec) * ns_per_s + static_cast<std::uint64_t>(used.tv_nsec),
                        resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

}  // namespace banger::agent
