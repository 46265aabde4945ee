// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/subprocess.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "common/error.hpp"
#include "common/pipe.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t tail_limit = 4096;
constexpr std::size_t line_limit = std::size_t{64} * 1024;
constexpr std::chrono::milliseconds term_limit{5'000};
constexpr int program_not_started = 127;

struct PackageRow {
    std::string_view program;
    std::string_view package;
};
constexpr std::array packages{
    PackageRow{"qemu-system-x86_64", "qemu-system-x86"},
    PackageRow{"mke2fs", "e2fsprogs"},
    PackageRow{"e2fsck", "e2fsprogs"},
    PackageRow{"resize2fs", "e2fsprogs"},
    PackageRow{"e2image", "e2fsprogs"},
    PackageRow{"newuidmap", "uidmap"},
    PackageRow{"ssh", "openssh-client"},
    PackageRow{"ssh-keygen", "openssh-client"},
    PackageRow{"unshare", "util-linux"},
    PackageRow{"prlimit", "util-linux"},
    PackageRow{"nsenter", "util-linux"},
    PackageRow{"apt-get", "apt"},
    PackageRow{"dpkg-deb", "dpkg"},
    PackageRow{"dbus-daemon", "dbus-daemon"},
    PackageRow{"depmod", "kmod"},
};

std::vector<char*> pointers(std::vector<std::string>& words)
{
    std::vector<char*> list;
    for (auto& word : words) {
        list.push_back(word.data());
    }
    list.push_back(nullptr);
    return list;
}

std::vector<std::string> merged_environment(const std::vector<std::string>& more)
{
    std::vector<std::string> merged;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text{*entry};
        const auto name = text.substr(0, text.find('=') + 1);
        bool replaced = false;
        for (const auto& word : more) {
            replaced = replaced || word.starts_with(name);
        }
        if (!replaced) {
            merged.push_back(text);
        }
    }
    merged.insert(merged.end(), more.begin(), more.end());
    return merged;
}

/// What the child does between fork and exec: async-signal-safe calls only.
struct Child {
    char** argv;
    char** environment;
    const char* directory;
    const mode_t* mask;
    int input;
    int output;
    int errors;
    int error_report;
    pid_t parent;
    bool gentle;

    [[noreturn]] void run() const
    {
        ::setsid();
        if (gentle) {
            // ioprio_set(2): the least of the best-effort class; glibc has no wrapper. Neither is worth a failure.
            constexpr int who_process = 1;
            constexpr int least_of_best_effort = 2 << 13 | 7;
            constexpr int niceness = 10;
            if (::getpriority(PRIO_PROCESS, 0) < niceness) {
                ::setpriority(PRIO_PROCESS, 0, niceness);
            }
            ::syscall(SYS_ioprio_set, who_process, 0, least_of_best_effort);
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        if (mask != nullptr) {
            ::umask(*mask);
        }
        const bool moved = directory == nullptr || ::chdir(directory) == 0;
        // A parent that is gone already sent no death signal.
        if (moved && ::getppid() == parent && ::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
            ::dup2(errors, STDERR_FILENO) >= 0) {
            ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
            ::execve(argv[0], argv, environment);
        }
        const int problem = errno;
        [[maybe_unused]] const auto written = ::write(error_report, &problem, sizeof problem);
        ::_exit(program_not_started);
    }
};

UniqueFd open_fd(const std::filesystem::path& path, int flags)
{
    UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
    if (!fd) {
        throw errno_error("can't open " + path.string(), errno);
    }
    return fd;
}

/// Takes the output apart into lines, the log and the tail.
class OutputReader {
public:
    OutputReader(const Program& program, int source) : program_{&program}, source_{source}
    {
        if (!program.log.empty()) {
            log_ = open_fd(program.log, O_WRONLY | O_CREAT | O_APPEND);
        }
    }

    /// False at the end of the file.
    bool read_some()
    {
        std::array<char, 8192> buffer{};
        const auto got = ::read(source_, buffer.data(), buffer.size());
        if (got <= 0) {
            return got < 0 && errno == EINTR;
        }
        take({buffer.data(), static_cast<std::size_t>(got)});
        return true;
    }

    /// To be called at the end: the last line may have no end.
    void finish()
    {
        if (program_->on_line && !line_.empty()) {
            program_->on_line(line_);
        }
    }
    std::string take_tail() { return std::move(tail_); }

private:
    void take(std::string_view text)
    {
        if (log_) {
            [[maybe_unused]] const auto written = ::write(log_.get(), text.data(), text.size());
        }
        tail_.append(text);
        if (tail_.size() > tail_limit) {
            tail_.erase(0, tail_.size() - tail_limit);
        }
        if (!program_->on_line) {
            return;
        }
        line_.append(text);
        for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
            program_->on_line(std::string_view{line_}.substr(0, end));
            line_.erase(0, end + 1);
        }
        if (line_.size() > line_limit) {
            line_.clear();
        }
    }

    const Program* program_;
    int source_;
    UniqueFd log_;
    std::string tail_;
    std::string line_;
};

/// Waits for the process's end, reading its output; a stop request ends its group.
void wait_for_end(const Program& program, pid_t pid, const UniqueFd& process, const UniqueFd& output,
                  OutputReader& reader)
{
    const UniqueFd stopped{::eventfd(0, EFD_CLOEXEC)};
    const std::stop_callback on_stop{program.stop, [&stopped] { ::eventfd_write(stopped.get(), 1); }};
    std::array<pollfd, 3> watched{pollfd{process.get(), POLLIN, 0}, pollfd{output.get(), POLLIN, 0},
                                  pollfd{stopped.get(), POLLIN, 0}};
    using Clock = std::chrono::steady_clock;
    constexpr auto for_ever = Clock::time_point::max();
    auto patience = for_ever;  // until it was told to end, whatever it says meanwhile
    const auto left = [&patience] {
        const auto until = std::chrono::ceil<std::chrono::milliseconds>(patience - Clock::now());
        return static_cast<int>(std::clamp(until, std::chrono::milliseconds{0}, term_limit).count());
    };
    while ((watched[0].revents & POLLIN) == 0) {
        if (::poll(watched.data(), watched.size(), patience == for_ever ? -1 : left()) < 0) {
            continue;  // a signal; revents are those of the last time
        }
        if (patience != for_ever && left() == 0) {
            ::kill(-pid, SIGKILL);
            patience = for_ever;
        }
        if (watched[1].revents != 0 && !reader.read_some()) {
            watched[1].fd = -1;
        }
        if (watched[2].revents != 0) {
            ::kill(-pid, SIGTERM);
            watched[2].fd = -1;
            patience = Clock::now() + term_limit;
        }
    }
    // What it left in the pipe, no more than that holds; a grandchild that lives on may hold it and write on, so no wait for its end.
    constexpr int reads_of_a_pipe = 16;  // pipe(7): 64 KiB, of which each read takes 8 KiB
    pollfd rest{output.get(), POLLIN, 0};
    for (int i = 0; i < reads_of_a_pipe && watched[1].fd >= 0 && ::poll(&rest, 1, 0) == 1 && reader.read_some(); ++i) {
    }
}

}  // namespace

std::string package_of(std::string_view program)
{
    for (const auto& row : packages) {
        if (row.program == program) {
            return std::string{row.package};
        }
    }
    return std::string{program};
}

std::filesystem::path find_program(std::string_view name)
{
    const char* variable = std::getenv("PATH");
    std::string folders = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
    folders += ":/usr/sbin:/sbin";  // where mke2fs and depmod are, but not on an ordinary user's PATH
    std::size_t begin = 0;
    while (begin <= folders.size()) {
        const auto end = std::min(folders.find(':', begin), folders.size());
        auto candidate = std::filesystem::path{folders.substr(begin, end - begin)} / name;
        if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0 &&
            std::filesystem::is_regular_file(candidate)) {
            return candidate;
        }
        begin = end + 1;
    }
    throw Error{ErrorCode::HostLacks, std::string{name} + " is not installed; apt install " + package_of(name)};
}

std::filesystem::path find_beside(std::string_view name)
{
    std::error_code none;
    const auto candidate = std::filesystem::read_symlink("/proc/self/exe", none).parent_path() / name;
    return std::filesystem::exists(candidate, none) ? candidate : std::filesystem::path{};
}

ProgramResult run_program(const Program& program)
{
    const UniqueFd input = open_fd(program.input.empty() ? "/dev/null" : program.input, O_RDONLY);
    const UniqueFd file =
        program.output.empty() ? UniqueFd{} : open_fd(program.output, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    auto output = make_pipe(program.argv.front());
    auto report = make_pipe(program.argv.front());
    OutputReader reader{program, output.read.get()};
    auto argv = program.argv;
    auto environment = merged_environment(program.environment);
    auto argv_pointers = pointers(argv);
    auto environment_pointers = pointers(environment);
    const Child child{argv_pointers.data(),
                      environment_pointers.data(),
                      program.directory.empty() ? nullptr : program.directory.c_str(),
                      program.umask ? &*program.umask : nullptr,
                      input.get(),
                      file ? file.get() : output.write.get(),
                      output.write.get(),
                      report.write.get(),
                      ::getpid(),
                      program.gentle};
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw errno_error("can't start " + argv[0], errno);
    }
    if (pid == 0) {
        child.run();
    }
    output.write.reset();
    report.write.reset();
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (!process) {
        const int problem = errno;
        ::kill(-pid, SIGKILL);
        ::kill(pid, SIGKILL);  // which may have no group of its own yet
        ::waitpid(pid, nullptr, 0);
        throw errno_error("can't watch " + argv[0], problem);
    }
    int problem = 0;
    if (::read(report.read.get(), &problem, sizeof problem) == sizeof problem) {
        ::waitpid(pid, nullptr, 0);
        throw errno_error("can't run " + argv[0], problem, ErrorCode::HostLacks);
    }
    wait_for_end(program, pid, process, output.read, reader);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (program.stop.stop_requested()) {
        ::kill(-pid, SIGKILL);  // who of its group ignored SIGTERM
        throw Error{ErrorCode::Cancelled, "cancelled"};
    }
    reader.finish();
    ProgramResult result{.exit_code = {}, .signal = 0, .tail = reader.take_tail()};
    if (WIFEXITED(status)) {
        result.exit_code = WEXITSTATUS(status);
    } else {
        result.signal = WTERMSIG(status);
    }
    return result;
}

}  // namespace banger::agent
