// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <ctime>
#include <string>

#include "agent/ports/process_host.hpp"

namespace banger::agent {
namespace {

/// Its second number, in pages; proc(5). By plain calls, as somebody who watches a hundred VMs asks for it fifty times a second.
std::optional<std::uint64_t> resident_pages(int pid)
{
    const UniqueFd file{::open(("/proc/" + std::to_string(pid) + "/statm").c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 128> text{};
    const auto size = ::read(file.get(), text.data(), text.size());
    if (size <= 0) {
        return std::nullopt;
    }
    const auto* const end = text.data() + size;
    std::uint64_t pages = 0;
    const auto whole = std::from_chars(text.data(), end, pages);
    if (whole.ec != std::errc{} || whole.ptr == end) {
        return std::nullopt;
    }
    return std::from_chars(whole.ptr + 1, end, pages).ec == std::errc{} ? std::optional{pages} : std::nullopt;
}

}  // namespace

std::optional<ProcessUsage> process_usage(const ProcessId& process)
{
    clockid_t clock{};
    timespec used{};
    if (!process || ::clock_getcpuclockid(process.pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
        return std::nullopt;
    }
    const auto resident = resident_pages(process.pid);
    if (!resident) {
        return std::nullopt;
    }
    constexpr std::uint64_t ns_per_s = 1'000'000'000;
    return ProcessUsage{static_cast<std::uint64_t>(used.tv_sec) * ns_per_s + static_cast<std::uint64_t>(used.tv_nsec),
                        *resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

}  // namespace banger::agent
