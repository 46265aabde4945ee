// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/fork_process_host.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>

#include "agent/core/vm/log_tail.hpp"
#include "common/denial.hpp"
#include "common/pipe.hpp"

namespace banger::agent {
namespace {

constexpr int program_not_started = 127;
constexpr std::chrono::milliseconds fork_limit{10'000};  // for a program that daemonizes itself

/// What the children need, made before the fork: between fork and exec only async-signal-safe calls are allowed.
struct Prepared {
    std::vector<char*> argv;
    int directory;
    int input;
    int output;
    int log;
    int report;  // write end of a close-on-exec pipe: pid, then errno if exec failed
    const char* pid_file;
};

struct Report {
    int pid;
    int error;
};

/// Field 22 of /proc/PID/stat, proc(5); nullopt for a zombie and for what is no such line. Async-signal-safe.
std::optional<std::uint64_t> start_time_in(std::string_view stat) noexcept
{
    // The command name (field 2) may hold spaces and brackets; fields count from its last ')'.
    const auto name_end = stat.rfind(')');
    if (name_end == std::string_view::npos || name_end + 2 >= stat.size() || stat[name_end + 2] == 'Z') {
        return std::nullopt;
    }
    auto at = name_end + 2;
    for (int field = 3; field < 22; ++field) {
        at = stat.find(' ', at + 1);
        if (at == std::string_view::npos) {
            return std::nullopt;
        }
    }
    std::uint64_t ticks = 0;
    const auto* begin = stat.data() + at + 1;
    return std::from_chars(begin, stat.data() + stat.size(), ticks).ec == std::errc{} ? std::optional{ticks}
                                                                                      : std::nullopt;
}

/// Writes "PID START\n", so that the next bangerd knows this very process. After fork(): async-signal-safe calls only.
void write_pid_file(int directory, const char* name, int pid)
{
    std::array<char, 1024> stat{};
    const int self = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    const auto got = ::read(self, stat.data(), stat.size());
    ::close(self);
    const auto start = start_time_in({stat.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
    const int file = ::openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return;
    }
    std::array<char, 48> line{};
    constexpr int separators = 2;  // kept free, or g++ 12 sees a write beyond the end
    auto* end = std::to_chars(line.begin(), line.end() - separators, pid).ptr;
    *end++ = ' ';
    end = std::to_chars(end, line.end() - 1, start.value_or(0)).ptr;
    *end++ = '\n';
    [[maybe_unused]] const auto written = ::write(file, line.data(), static_cast<std::size_t>(end - line.begin()));
    ::close(file);
}

[[noreturn]] void become_program(const Prepared& prepared, bool with_pid_file)
{
    Report report{::getpid(), 0};
    [[maybe_unused]] auto written = ::write(prepared.report, &report, sizeof report);
    if (with_pid_file) {
        write_pid_file(prepared.directory, prepared.pid_file, report.pid);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    if (::fchdir(prepared.directory) == 0 && ::dup2(prepared.input, STDIN_FILENO) >= 0 &&
        ::dup2(prepared.output, STDOUT_FILENO) >= 0 && ::dup2(prepared.log, STDERR_FILENO) >= 0) {
        ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
        ::execv(prepared.argv[0], prepared.argv.data());
    }
    report.error = errno;
    written = ::write(prepared.report, &report, sizeof report);
    ::_exit(program_not_started);
}

UniqueFd open_or_throw(const std::filesystem::path& path, int flags)
{
    UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
    if (!fd) {
        throw errno_error("can't open " + path.string(), errno);
    }
    return fd;
}

/// What the child had to say until its exec closed the pipe.
Report read_report(int report_end)
{
    Report report{0, 0};
    Report next{};
    while (::read(report_end, &next, sizeof next) == sizeof next) {
        report = next;
    }
    return report;
}

void refuse_unstarted(const Report& report, const std::string& program)
{
    if (report.error != 0 || report.pid == 0) {
        throw errno_error("can't run " + program, report.error != 0 ? report.error : EAGAIN,
                          report.error == ENOENT ? ErrorCode::HostLacks : ErrorCode::Failed);
    }
}

/// Forks once, the child again; the middle one leaves at once, so nobody waits for the grandchild but init.
Report double_fork(const Prepared& prepared, int report_end)
{
    const pid_t middle = ::fork();
    if (middle < 0) {
        throw errno_error("can't start a process", errno);
    }
    if (middle == 0) {
        ::setsid();
        const pid_t program = ::fork();
        if (program == 0) {
            become_program(prepared, true);
        }
        ::_exit(program < 0 ? errno : 0);
    }
    ::close(prepared.report);
    int status = 0;
    while (::waitpid(middle, &status, 0) < 0 && errno == EINTR) {
    }
    return read_report(report_end);
}

/// For a program that daemonizes: ready when it has left with 0.
void run_until_left(const Prepared& prepared, int report_end, const ProcessSpec& spec)
{
    const pid_t program = ::fork();
    if (program < 0) {
        throw errno_error("can't start a process", errno);
    }
    if (program == 0) {
        ::setsid();
        become_program(prepared, false);
    }
    ::close(prepared.report);
    const auto report = read_report(report_end);
    const UniqueFd watch{static_cast<int>(::syscall(SYS_pidfd_open, program, 0))};
    pollfd poll_fd{watch.get(), POLLIN, 0};
    const bool in_time = ::poll(&poll_fd, 1, static_cast<int>(fork_limit.count())) == 1;
    if (!in_time) {
        ::kill(program, SIGKILL);
    }
    int status = 0;
    ::waitpid(program, &status, 0);
    refuse_unstarted(report, spec.argv[0]);
    if (!in_time || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw Error{ErrorCode::Failed, spec.argv[0] + (in_time ? " failed: " : " did not get ready: ") +
                                           with_denial_hint(tail_of_log(spec.log))};
    }
}

ProcessId start_now(ProcessSpec& spec)
{
    const UniqueFd directory = open_or_throw(spec.directory, O_DIRECTORY | O_RDONLY);
    const UniqueFd log = open_or_throw(spec.log, O_WRONLY | O_CREAT | O_APPEND);
    const UniqueFd null = open_or_throw("/dev/null", O_RDWR);
    auto report_pipe = make_pipe(spec.role);
    const auto report_end = std::move(report_pipe.read);
    const std::string pid_file = spec.role + ".pid";
    Prepared prepared{{},
                      directory.get(),
                      spec.standard_input ? spec.standard_input.get() : null.get(),
                      spec.standard_output ? spec.standard_output.get() : log.get(),
                      log.get(),
                      report_pipe.write.release(),
                      pid_file.c_str()};
    for (auto& word : spec.argv) {
        prepared.argv.push_back(word.data());
    }
    prepared.argv.push_back(nullptr);
    if (spec.readiness == ProcessSpec::Readiness::Fork) {
        run_until_left(prepared, report_end.get(), spec);
        return {};
    }
    const Report report = double_fork(prepared, report_end.get());
    refuse_unstarted(report, spec.argv[0]);
    return {report.pid, process_start_time(report.pid).value_or(0), {}};
}

/// Alive, still the same one, and at work in this very directory.
bool is_still(const ProcessId& process, const std::filesystem::path& directory)
{
    struct stat ours {};
    struct stat its {};
    const auto cwd = "/proc/" + std::to_string(process.pid) + "/cwd";
    return process.pid > 1 && process_start_time(process.pid) == process.start_time &&
           ::stat(directory.c_str(), &ours) == 0 && ::stat(cwd.c_str(), &its) == 0 && ours.st_dev == its.st_dev &&
           ours.st_ino == its.st_ino;
}

/// The process that the pid file names, else the one that was noted.
ProcessId find_now(const std::string& role, const std::filesystem::path& directory, const ProcessId& noted)
{
    std::ifstream file{directory / (role + ".pid")};
    ProcessId filed;
    if (file >> filed.pid >> filed.start_time && is_still(filed, directory)) {
        return filed;
    }
    return is_still(noted, directory) ? noted : ProcessId{};
}

}  // namespace

Task<ProcessId> ForkProcessHost::start(ProcessSpec spec)
{
    const auto shared = std::make_shared<ProcessSpec>(std::move(spec));
    auto start = [shared] { return start_now(*shared); };
    co_return co_await run_on(*loop_, *lane_, std::move(start));
}

Task<ProcessId> ForkProcessHost::find(VmId vm, std::string role, std::filesystem::path directory, ProcessId noted)
{
    static_cast<void>(vm);
    auto find = [role, directory, noted] { return find_now(role, directory, noted); };
    co_return co_await run_on(*loop_, *lane_, std::move(find));
}

std::optional<std::uint64_t> process_start_time(int pid)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string line;
    std::getline(file, line);
    return start_time_in(line);
}

void send_signal(const UniqueFd& process, int signal) noexcept
{
    ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

UniqueFd open_process(const ProcessId& process)
{
    if (!process) {
        return {};
    }
    UniqueFd fd{static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0))};
    // Asked after the open: from here on the pid can't be given to another behind our back.
    if (!fd || process_start_time(process.pid) != process.start_time) {
        return {};
    }
    return fd;
}

}  // namespace banger::agent
