// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/spawn.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string_view>

#include "common/error.hpp"
#include "common/pipe.hpp"

namespace banger::guest {
namespace {

struct Prepared {
    std::vector<std::string> programs;  ///< tried in this order
    std::vector<char*> argv;
    /// /bin/sh PROGRAM args…, for a script without a first line; [1] is set in the child
    std::vector<char*> shell_argv;
    std::vector<char*> environment;
    bool change_account{false};
    rlimit files{};
};

/// Of this process as it was started: what its commands get.
rlimit files_at_start{0, 0};

/// What the child says where there is no program; the exec of one ends the pipe.
struct Failure {
    int error{0};
    SpawnResult::Step step{SpawnResult::Step::Exec};
};

std::vector<char*> pointers(const std::vector<std::string>& list)
{
    std::vector<char*> result;
    for (const auto& item : list) {
        result.push_back(const_cast<char*>(item.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

/// As execvp(3) searches, but in the PATH that the command will have.
std::vector<std::string> candidates(const SpawnPlan& plan)
{
    const auto& name = plan.argv.front();
    if (name.find('/') != std::string::npos) {
        return {name};
    }
    std::string path;
    for (const auto& variable : plan.environment) {
        if (variable.starts_with("PATH=")) {
            path = variable.substr(5);
        }
    }
    std::vector<std::string> result;
    for (std::size_t from = 0; from <= path.size();) {
        const auto to = std::min(path.find(':', from), path.size());
        const auto folder = path.substr(from, to - from);
        result.push_back((folder.empty() ? "." : folder) + "/" + name);
        from = to + 1;
    }
    return result;
}

Prepared prepare(const SpawnPlan& plan)
{
    static const std::string shell = "/bin/sh";
    Prepared prepared{candidates(plan), pointers(plan.argv), {}, pointers(plan.environment), ::geteuid() == 0, {}};
    prepared.shell_argv = prepared.argv;
    prepared.shell_argv.front() = const_cast<char*>(shell.c_str());
    prepared.shell_argv.insert(prepared.shell_argv.begin() + 1, nullptr);
    prepared.files = files_at_start;
    return prepared;
}

void try_programs(Prepared& prepared, Failure& failure) noexcept
{
    int error = ENOENT;
    failure.step = SpawnResult::Step::Exec;
    for (const auto& program : prepared.programs) {
        ::execve(program.c_str(), prepared.argv.data(), prepared.environment.data());
        if (errno == ENOEXEC) {
            prepared.shell_argv[1] = const_cast<char*>(program.c_str());
            ::execve("/bin/sh", prepared.shell_argv.data(), prepared.environment.data());
            error = ENOEXEC;
            break;
        }
        if (errno == ENOENT && ::access(program.c_str(), F_OK) == 0) {
            failure.step = SpawnResult::Step::Interpreter;
            break;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            error = errno;
            if (error != EACCES) {  // another folder of PATH may have one that may be run
                break;
            }
        }
    }
    failure.error = error;
}

bool enter_session(const SpawnPlan& plan) noexcept
{
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGPIPE, &standard, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::umask(022);
    if (::setsid() < 0) {
        return false;
    }
    for (int target = 0; target < 3; ++target) {
        if (::dup2(plan.fds[static_cast<std::size_t>(target)], target) < 0) {
            return false;
        }
    }
    return !plan.terminal || ::ioctl(0, TIOCSCTTY, 0) == 0;
}

/// Undoes what the service has over a command. A failure here is no reason not to run one.
void take_usual_limits(const rlimit& files) noexcept
{
    if (files.rlim_cur != 0) {
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        (void)!::write(score, "0", 1);
        ::close(score);
    }
}

bool enter_account(const Account& account) noexcept
{
    return ::setgroups(account.groups.size(), account.groups.data()) == 0 && ::setgid(account.gid) == 0 &&
           ::setuid(account.uid) == 0;
}

bool enter_directory(const SpawnPlan& plan) noexcept
{
    return ::chdir(plan.directory.c_str()) == 0 || (!plan.directory_asked && ::chdir("/") == 0);
}

/// Returns only with a failure. Keeps nothing of this program's open where it may hang: the channel, pipes of other commands.
Failure run_child(const SpawnPlan& plan, Prepared& prepared, int outcome) noexcept
{
    using Step = SpawnResult::Step;
    Failure failure;
    if (!enter_session(plan)) {
        failure.step = Step::Session;
    } else if (take_usual_limits(prepared.files); prepared.change_account && !enter_account(plan.account)) {
        failure.step = Step::Account;
    } else if (close_others({outcome}); !enter_directory(plan)) {
        failure.step = Step::Directory;
    } else {
        if (plan.ends_with_parent) {
            ::prctl(PR_SET_PDEATHSIG, SIGHUP);  // after setuid(2), which clears it
        }
        try_programs(prepared, failure);
        return failure;
    }
    failure.error = errno;
    return failure;
}

}  // namespace

void close_others(std::vector<int> keep)
{
    std::sort(keep.begin(), keep.end());
    unsigned from = 3;
    for (const int fd : keep) {
        const auto kept = static_cast<unsigned>(fd);
        if (kept > from) {
            ::close_range(from, kept - 1, 0);
        }
        from = std::max(from, kept + 1);
    }
    ::close_range(from, UINT_MAX, 0);
}

Spawning begin_spawn(const SpawnPlan& plan)
{
    Prepared prepared = prepare(plan);
    auto pipe = make_pipe("the command");
    const pid_t pid = ::fork();
    if (pid == 0) {
        const Failure failure = run_child(plan, prepared, pipe.write.get());
        (void)!::write(pipe.write.get(), &failure, sizeof failure);
        ::_exit(127);
    }
    if (pid < 0) {
        throw errno_error("No process for the command", errno);
    }
    return {pid, std::move(pipe.read)};
}

SpawnResult finish_spawn(const Spawning& spawning)
{
    Failure failure;
    ssize_t count = 0;
    while ((count = ::read(spawning.outcome.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    SpawnResult result;
    if (count > 0) {
        result.error = failure.error;
        result.step = failure.step;
    } else {
        result.pid = spawning.pid;
    }
    return result;
}

void use_many_files() noexcept
{
    if (files_at_start.rlim_cur == 0 && ::getrlimit(RLIMIT_NOFILE, &files_at_start) == 0) {
        constexpr rlim_t wanted = 65536;  // max_streams commands take 4 each
        files_at_start.rlim_max = std::max(files_at_start.rlim_max, wanted);
        const rlimit own{std::max(files_at_start.rlim_cur, wanted), files_at_start.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &own);
    }
}

std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over)
{
    for (const auto& variable : over) {
        const auto name = std::string_view{variable}.substr(0, variable.find('='));
        std::erase_if(
            base, [&](const std::string& older) { return std::string_view{older}.substr(0, older.find('=')) == name; });
        base.push_back(variable);
    }
    return base;
}

}  // namespace banger::guest
