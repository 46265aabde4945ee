// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fakes/world.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace banger::agent::test {
namespace {

/// Ends a dead bangerd's worker. No Error, and never seen: the loop to which it is posted runs no more.
struct Killed {};

bool is_async(Fault fault) { return fault != Fault::None && fault != Fault::Fail; }

Promise<Unit> never()
{
    return {};  // nobody has its other end
}

}  // namespace

World::World()
{
    std::string name = (std::filesystem::temp_directory_path() / "banger-world-XXXXXX").string();
    root = ::mkdtemp(name.data());
    std::filesystem::create_directories(vms());
}

World::~World()
{
    std::error_code none;
    std::filesystem::remove_all(root, none);
}

void World::arm(int step, Fault fault, ErrorCode code)
{
    const std::lock_guard lock{mutex};
    steps_ = 0;
    at_ = step;
    at_name_.clear();
    fault_ = fault;
    code_ = code;
    fired_.clear();
}

void World::arm(const std::string& step, Fault fault, ErrorCode code)
{
    const std::lock_guard lock{mutex};
    arm(0, fault, code);
    at_name_ = step;
}

void World::disarm() { arm(0, Fault::None); }

std::string World::fired() const
{
    const std::lock_guard lock{mutex};
    return fired_;
}

bool World::is_dead() const
{
    const std::lock_guard lock{mutex};
    return dead_;
}

bool World::is_hanging() const
{
    const std::lock_guard lock{mutex};
    return fault_ == Fault::Hang && !fired_.empty();
}

void World::bury()
{
    const std::lock_guard lock{mutex};
    buried_ = true;
    changed_.notify_all();
}

void World::revive()
{
    const std::lock_guard lock{mutex};
    dead_ = false;
    buried_ = false;
    disarm();
}

Fault World::take(const std::string& step)
{
    const std::lock_guard lock{mutex};
    if (dead_) {
        return Fault::DieBefore;
    }
    ++steps_;
    const bool here = fired_.empty() && (at_name_.empty() ? steps_ == at_ : step == at_name_);
    if (!here || fault_ == Fault::None) {
        return Fault::None;
    }
    fired_ = step;
    return fault_;
}

void World::step_now(const std::string& step)
{
    const std::lock_guard lock{mutex};
    if (!is_async(fault_) && take(step) == Fault::Fail) {
        throw Error{code_, step + " fails, as the test wants"};
    }
}

void World::wait_for_burial()
{
    std::unique_lock lock{mutex};
    changed_.wait(lock, [this] { return buried_; });
    throw Killed{};
}

void World::before(Fault fault)
{
    if (fault == Fault::Fail) {
        throw Error{code_, fired() + " fails, as the test wants"};
    }
    if (fault == Fault::DieBefore) {
        const std::lock_guard lock{mutex};
        dead_ = true;
    }
    if (fault == Fault::Hang || fault == Fault::DieBefore) {
        wait_for_burial();
    }
}

void World::after(Fault fault)
{
    if (fault == Fault::DieAfter) {
        {
            const std::lock_guard lock{mutex};
            dead_ = true;
        }
        wait_for_burial();
    }
}

Task<void> World::before_async(Fault fault)
{
    if (fault == Fault::Fail) {
        throw Error{code_, fired() + " fails, as the test wants"};
    }
    if (fault == Fault::DieBefore) {
        const std::lock_guard lock{mutex};
        dead_ = true;
    }
    if (fault == Fault::Hang || fault == Fault::DieBefore) {
        const auto end = never();
        co_await end.wait();
    }
}

Task<void> World::after_async(Fault fault)
{
    if (fault == Fault::DieAfter) {
        {
            const std::lock_guard lock{mutex};
            dead_ = true;
        }
        const auto end = never();
        co_await end.wait();
    }
}

int World::start_process(const std::filesystem::path& folder)
{
    const std::lock_guard lock{mutex};
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        throw errno_error("no pipe", errno);
    }
    const int pid = next_pid_++;
    processes_[pid] = FakeProcess{.pid = pid,
                                  .start_time = static_cast<std::uint64_t>(pid) * 10,
                                  .folder = folder,
                                  .life = UniqueFd{ends[1]},
                                  .watch = UniqueFd{ends[0]}};
    return pid;
}

void World::end_process(int pid, std::optional<GuestEnd> said)
{
    const std::lock_guard lock{mutex};
    auto& process = processes_.at(pid);
    process.alive = false;
    if (said) {
        process.said = said;
    }
    process.life.reset();
}

FakeProcess* World::process_in(const std::filesystem::path& folder)
{
    const std::lock_guard lock{mutex};
    for (auto& [pid, process] : processes_) {
        if (process.alive && process.folder == folder) {
            return &process;
        }
    }
    return nullptr;
}

UniqueFd World::open(const ProcessId& process)
{
    const std::lock_guard lock{mutex};
    const auto at = processes_.find(process.pid);
    if (at == processes_.end() || !at->second.alive || at->second.start_time != process.start_time) {
        return {};
    }
    return UniqueFd{::fcntl(at->second.watch.get(), F_DUPFD_CLOEXEC, 0)};
}

void World::signal(const UniqueFd& process, int number)
{
    const std::lock_guard lock{mutex};
    if (dead_) {
        return;
    }
    signals.push_back(number);
    struct stat wanted {};
    ::fstat(process.get(), &wanted);
    for (auto& [pid, candidate] : processes_) {
        struct stat status {};
        ::fstat(candidate.watch.get(), &status);
        const bool ends = number == SIGKILL ? vmms.die_when_killed : number == SIGTERM;
        if (candidate.alive && status.st_ino == wanted.st_ino && ends) {
            end_process(pid, std::nullopt);
        }
    }
}

std::size_t World::live_processes() const
{
    const std::lock_guard lock{mutex};
    std::size_t count = 0;
    for (const auto& [pid, process] : processes_) {
        count += process.alive ? 1 : 0;
    }
    return count;
}

}  // namespace banger::agent::test
