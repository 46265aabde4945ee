// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/output.hpp"

#include "cli/view/escape.hpp"
#include "common/error.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace banger::cli {
namespace {

/// 0, or errno.
int write_all(int fd, std::string_view text) noexcept
{
    while (!text.empty()) {
        const auto written = ::write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {  // somebody else made it non-blocking
            pollfd writable{fd, POLLOUT, 0};
            ::poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void say(const std::string& text, KeepLines keep) { write_all(STDERR_FILENO, escaped(text, keep) + "\n"); }

}  // namespace

void hold_standard_streams() noexcept
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            // The lowest free number is this one.
            [[maybe_unused]] const int opened = ::open("/dev/null", O_RDWR);
        }
    }
}

void print(std::string_view text)
{
    const int problem = write_all(STDOUT_FILENO, text);
    if (problem == EPIPE) {
        die_of(SIGPIPE);
    }
    if (problem != 0) {
        throw errno_error("can't write to standard output", problem);
    }
}

void print_json(const JsonValue& value)
{
    print(value.dump(2, ' ', is_shown(), JsonValue::error_handler_t::replace) + "\n");
}

void remark(std::string_view text) noexcept
{
    try {
        say(std::string{text}, KeepLines::No);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): then there is nothing left to say it with
    }
}

void complain(std::string_view text) noexcept
{
    try {
        say("banger: " + std::string{text}, KeepLines::Yes);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as above
    }
}

bool is_terminal(int fd) noexcept { return ::isatty(fd) == 1; }

bool is_shown() noexcept { return is_terminal(STDOUT_FILENO) || std::getenv(shown_variable) != nullptr; }

std::size_t terminal_width() noexcept
{
    winsize size{};
    return is_terminal(STDOUT_FILENO) && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string age_of(std::int64_t seconds_since_1970)
{
    if (seconds_since_1970 == 0) {
        return "";
    }
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    const auto age = std::max<std::int64_t>(0, static_cast<std::int64_t>(::time(nullptr)) - seconds_since_1970);
    if (age < 2 * minute) {
        return std::to_string(age) + " s";
    }
    if (age < 2 * hour) {
        return std::to_string(age / minute) + " min";
    }
    return age < 2 * day ? std::to_string(age / hour) + " h" : std::to_string(age / day) + " d";
}

std::string date_of(std::int64_t seconds_since_1970)
{
    if (seconds_since_1970 == 0) {
        return "";
    }
    const auto moment = static_cast<std::time_t>(seconds_since_1970);
    std::tm local{};
    std::array<char, 32> text{};
    ::localtime_r(&moment, &local);
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local)};
}

void die_of(int signal) noexcept
{
    ::signal(signal, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    ::raise(signal);
    ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
}

}  // namespace banger::cli
