// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/requests.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "common/error.hpp"
#include "guest/core/listeners.hpp"
#include "guest/core/machine_stats.hpp"
#include "guest/core/run_program.hpp"
#include "guest/setup/hosts_file.hpp"
#include "guest/setup/ssh_host_keys.hpp"

namespace banger::guest {
namespace {

using Type = wire::StatResult::Type;

Type type_of(mode_t mode)
{
    return S_ISREG(mode) ? Type::File : S_ISDIR(mode) ? Type::Directory : S_ISLNK(mode) ? Type::Symlink : Type::Other;
}

wire::ResponseBody answer(const wire::Stat& request)
{
    wire::StatResult result;
    struct stat status {};
    if (::lstat(request.path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return result;
        }
        throw errno_error(request.path, errno);
    }
    result.type = type_of(status.st_mode);
    if (::stat(request.path.c_str(), &status) == 0) {
        result.target = type_of(status.st_mode);
        result.mode = status.st_mode & 07777U;
        result.size = static_cast<std::uint64_t>(status.st_size);
    }
    return result;
}

wire::ResponseBody answer(const wire::Stats& /*request*/) { return machine_stats(); }
wire::ResponseBody answer(const wire::Listeners& /*request*/) { return machine_listeners(); }

wire::ResponseBody answer(const wire::SshHostKeys& /*request*/)
{
    make_ssh_host_keys();
    return wire::SshHostKeysResult{ssh_host_keys()};
}

wire::ResponseBody answer(const wire::SpawnTime& request)
{
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::duration> times;
    for (std::uint32_t i = 0; i < request.count; ++i) {
        const auto begin = Clock::now();
        if (run_program({"true"}) != 0) {
            throw Error{ErrorCode::NotFound, "The guest has no program named true"};
        }
        times.push_back(Clock::now() - begin);
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    const auto median = std::chrono::nanoseconds{times[times.size() / 2]}.count();
    return wire::SpawnTimeResult{static_cast<std::uint64_t>(median)};
}

wire::ResponseBody answer(const wire::Clock& request)
{
    set_clock(request.unix_ns);
    return wire::Done{};
}

wire::ResponseBody answer(const wire::SyncDisks& /*request*/)
{
    ::sync();
    return wire::Done{};
}

wire::ResponseBody answer(const wire::Hosts& request)
{
    set_hosts(Rooted{"/"}, request.entries);
    return wire::Done{};
}

wire::ResponseBody answer(const wire::Ping& /*request*/) { return wire::Done{}; }
wire::ResponseBody answer(const wire::Shutdown& /*request*/) { return wire::Failure{"not here"}; }
wire::ResponseBody answer(const wire::Configure& /*request*/) { return wire::Failure{"not here"}; }

}  // namespace

void set_clock(std::int64_t unix_ns)
{
    constexpr std::int64_t second = 1'000'000'000;
    const timespec time{unix_ns / second, unix_ns % second};
    if (::clock_settime(CLOCK_REALTIME, &time) != 0) {
        throw errno_error("The guest's clock can't be set", errno);
    }
}

bool is_quick(const wire::RequestBody& request)
{
    return std::holds_alternative<wire::Ping>(request) || std::holds_alternative<wire::Stats>(request) ||
           std::holds_alternative<wire::Clock>(request);
}

wire::ResponseBody answer_to(const wire::RequestBody& request)
{
    return std::visit([](const auto& body) { return answer(body); }, request);
}

}  // namespace banger::guest
