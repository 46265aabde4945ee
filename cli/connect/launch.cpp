// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/launch.hpp"

#include "common/error.hpp"
#include "common/pipe.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds start_limit{30'000};
constexpr mode_t private_mode = 0700;

/// Beside banger (a build tree), in libexec of the same prefix (installed), or from PATH.
fs::path find_bangerd()
{
    std::error_code none;
    const auto here = fs::read_symlink("/proc/self/exe", none).parent_path();
    for (const auto& candidate : {here / "bangerd", here / "../libexec/banger/bangerd"}) {
        if (::access(candidate.c_str(), X_OK) == 0) {
            return candidate.lexically_normal();
        }
    }
    const char* path = std::getenv("PATH");
    std::string folders = path != nullptr ? path : "";
    for (std::size_t begin = 0; begin < folders.size();) {
        const auto end = std::min(folders.find(':', begin), folders.size());
        auto candidate = fs::path{folders.substr(begin, end - begin)} / "bangerd";
        if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        begin = end + 1;
    }
    throw Error{ErrorCode::HostLacks,
                "there is no bangerd beside " + here.string() + "/banger nor in PATH; install banger again"};
}

void make_private(const fs::path& folder)
{
    std::error_code none;
    fs::create_directories(folder.parent_path(), none);
    struct stat status {};
    if ((::mkdir(folder.c_str(), private_mode) < 0 && errno != EEXIST) || ::lstat(folder.c_str(), &status) < 0) {
        throw errno_error("can't make the folder " + folder.string(), errno);
    }
    if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        throw Error{ErrorCode::NotAuthorized, folder.string() +
                                                  " must be a folder of yours that nobody else may enter; chmod 700 " +
                                                  folder.string() + ", or set XDG_RUNTIME_DIR"};
    }
}

UniqueFd open_private(const fs::path& path, int flags)
{
    UniqueFd file{::open(path.c_str(), flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)};
    if (!file) {
        throw errno_error("can't open " + path.string(), errno);
    }
    return file;
}

/// In the child, until it is bangerd: async-signal-safe calls alone.
[[noreturn]] void become_bangerd(const char* program, int null, int errors, int ready)
{
    constexpr int ready_fd = 3;
    ::setsid();
    sigset_t no_signals;
    sigemptyset(&no_signals);
    ::sigprocmask(SIG_SETMASK, &no_signals, nullptr);
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) {
        ::signal(number, SIG_DFL);
    }
    const int kept = ::fcntl(ready, F_DUPFD, ready_fd + 1);
    if (::fork() == 0 && ::dup2(null, STDIN_FILENO) >= 0 && ::dup2(null, STDOUT_FILENO) >= 0 &&
        ::dup2(errors, STDERR_FILENO) >= 0 && ::dup2(kept, ready_fd) >= 0 && ::chdir("/") == 0) {
        ::close_range(ready_fd + 1, ~0U, 0);  // what banger's own caller left open is not a daemon's to hold
        ::execl(program, "bangerd", "--private-bus", "--ready-fd", "3", nullptr);
    }
    ::_exit(0);
}

std::string last_words(const fs::path& file)
{
    std::ifstream stream{file};
    std::string words{std::istreambuf_iterator<char>{stream}, {}};
    while (!words.empty() && words.back() == '\n') {
        words.pop_back();
    }
    constexpr std::string_view prefix = "bangerd: ";
    return words.starts_with(prefix) ? words.substr(prefix.size()) : words;
}

}  // namespace

UniqueFd lock_start(const Paths& paths)
{
    if (paths.runtime.parent_path() == paths.state) {
        make_private(paths.state);
    }
    make_private(paths.runtime);
    auto lock = open_private(paths.runtime / "start.lock", O_RDWR);
    while (::flock(lock.get(), LOCK_EX) < 0) {
        if (errno != EINTR) {
            throw errno_error("can't lock " + (paths.runtime / "start.lock").string(), errno);
        }
    }
    return lock;
}

void start_bangerd(const Paths& paths)
{
    const auto program = find_bangerd();
    const auto words = paths.runtime / "bangerd.stderr";
    const auto errors = open_private(words, O_WRONLY | O_TRUNC | O_APPEND);
    const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (!null) {
        throw errno_error("can't start bangerd", errno);
    }
    auto pipe = make_pipe("bangerd");
    const auto read_end = std::move(pipe.read);
    auto write_end = std::move(pipe.write);
    const pid_t child = ::fork();
    if (child < 0) {
        throw errno_error("can't start bangerd", errno);
    }
    if (child == 0) {
        become_bangerd(program.c_str(), null.get(), errors.get(), write_end.get());
    }
    ::waitpid(child, nullptr, 0);
    write_end.reset();
    pollfd readable{read_end.get(), POLLIN, 0};
    char byte = 0;
    if (::poll(&readable, 1, static_cast<int>(start_limit.count())) == 1 && ::read(read_end.get(), &byte, 1) == 1) {
        return;
    }
    const auto said = last_words(words);
    throw Error{ErrorCode::Unavailable,
                "bangerd does not start: " + (said.empty() ? "its log is " + paths.log().string() : said)};
}

}  // namespace banger::cli
