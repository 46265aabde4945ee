// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/machine_stats.hpp"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace banger::guest {
namespace {

struct Space {
    std::uint64_t total{0}, available{0};
};

Space space_of(const char* path)
{
    struct statvfs status {};
    if (::statvfs(path, &status) != 0) {
        return {};
    }
    return {status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize};
}

std::string content_of(const char* path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// "MemAvailable:  123 kB" of a /proc/meminfo, in bytes.
std::uint64_t meminfo(const std::string& text, const std::string& name)
{
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size(), nullptr, 10) * 1024;
}

std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> words;
    while (true) {
        const auto begin = line.find_first_not_of(" \t:");
        if (begin == std::string_view::npos) {
            return words;
        }
        const auto end = std::min(line.find_first_of(" \t:", begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        line.remove_prefix(end);
    }
}

std::uint64_t number_of(std::string_view word)
{
    std::uint64_t number = 0;
    std::from_chars(word.data(), word.data() + word.size(), number);
    return number;
}

/// Where in a line what stands, counted from 0.
struct Columns {
    std::size_t name;
    std::size_t in;
    std::size_t out;
};

Moved sum_of(std::string_view text, Columns columns, const IsCounted& is_counted)
{
    Moved sum;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.size() > columns.out && is_counted(words[columns.name])) {
            sum.in += number_of(words[columns.in]);
            sum.out += number_of(words[columns.out]);
        }
    }
    return sum;
}

/// A card or a whole disk of the machine's own: not lo, a bridge, a partition or a loop device, which would count twice what goes through
/// them.
bool is_hardware(const char* folder, std::string_view name)
{
    const auto device = std::string{folder}.append(name).append("/device");
    return ::access(device.c_str(), F_OK) == 0;
}

}  // namespace

Moved network_moved(std::string_view text, const IsCounted& is_counted)
{
    return sum_of(text, {.name = 0, .in = 1, .out = 9}, is_counted);
}

Moved disks_moved(std::string_view text, const IsCounted& is_counted)
{
    constexpr std::uint64_t sector = 512;
    const auto sectors = sum_of(text, {.name = 2, .in = 5, .out = 9}, is_counted);
    return {sectors.in * sector, sectors.out * sector};
}

wire::StatsResult machine_stats()
{
    struct sysinfo info {};
    ::sysinfo(&info);
    const auto root = space_of("/");
    const auto work = space_of("/root");
    timespec uptime{};
    ::clock_gettime(CLOCK_BOOTTIME, &uptime);
    const auto memory = content_of("/proc/meminfo");
    const auto network = network_moved(content_of("/proc/net/dev"),
                                       [](std::string_view name) { return is_hardware("/sys/class/net/", name); });
    const auto disks = disks_moved(content_of("/proc/diskstats"),
                                   [](std::string_view name) { return is_hardware("/sys/block/", name); });
    return {.memory_total = meminfo(memory, "MemTotal:"),
            .memory_available = meminfo(memory, "MemAvailable:"),
            .root_total = root.total,
            .root_available = root.available,
            .work_total = work.total,
            .work_available = work.available,
            .load = static_cast<double>(info.loads[0]) / (1U << SI_LOAD_SHIFT),
            .uptime_ms = static_cast<std::uint64_t>(uptime.tv_sec * 1000 + uptime.tv_nsec / 1'000'000),
            .processes = info.procs,
            .network_received = network.in,
            .network_sent = network.out,
            .block_read = disks.in,
            .block_written = disks.out};
}

}  // namespace banger::guest
