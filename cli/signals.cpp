// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/signals.hpp"

#include "common/error.hpp"

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include <sys/signalfd.h>
#include <unistd.h>

namespace banger::cli {
namespace {

bool is_ignored(int signal)
{
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

std::optional<int> number_in(std::string_view text)
{
    int number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    return problem == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

std::optional<int> real_time(std::string_view name)
{
    const bool from_least = name.starts_with("RTMIN");
    if (!from_least && !name.starts_with("RTMAX")) {
        return std::nullopt;
    }
    const int base = from_least ? SIGRTMIN : SIGRTMAX;
    const auto rest = name.substr(5);
    if (rest.empty()) {
        return base;
    }
    const auto offset = rest.front() == (from_least ? '+' : '-') ? number_in(rest.substr(1)) : std::nullopt;
    return offset ? std::optional{from_least ? base + *offset : base - *offset} : std::nullopt;
}

}  // namespace

SignalInbox::SignalInbox(std::initializer_list<int> signals) : before_{}
{
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int signal : signals) {
        if (!is_ignored(signal)) {  // a blocked signal would arrive although it is ignored
            sigaddset(&wanted, signal);
        }
    }
    if (::sigprocmask(SIG_BLOCK, &wanted, &before_) < 0) {
        throw errno_error("can't block signals", errno, ErrorCode::Internal);
    }
    fd_ = UniqueFd{::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!fd_) {
        const int problem = errno;
        ::sigprocmask(SIG_SETMASK, &before_, nullptr);
        throw errno_error("can't receive signals", problem, ErrorCode::Internal);
    }
}

SignalInbox::~SignalInbox() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> SignalInbox::take() noexcept
{
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
        return std::nullopt;
    }
    return static_cast<int>(info.ssi_signo);
}

SignalsAsUsual::SignalsAsUsual(const SignalInbox& inbox) : held_{}
{
    ::sigprocmask(SIG_SETMASK, &inbox.before_, &held_);
}

SignalsAsUsual::~SignalsAsUsual() { ::sigprocmask(SIG_SETMASK, &held_, nullptr); }

void stop_as_a_job() noexcept
{
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    struct sigaction before {};
    ::sigaction(SIGTSTP, &usual, &before);
    sigset_t stop;
    sigset_t held;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    ::sigprocmask(SIG_UNBLOCK, &stop, &held);
    ::raise(SIGTSTP);
    ::sigprocmask(SIG_SETMASK, &held, nullptr);
    ::sigaction(SIGTSTP, &before, nullptr);
}

int parse_signal(std::string_view text)
{
    auto signal = number_in(text);
    std::string name;
    for (const char c : text) {
        name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    if (name.starts_with("SIG")) {
        name.erase(0, 3);
    }
    if (!signal) {
        signal = real_time(name);
    }
    for (int number = 1; !signal && number < SIGRTMIN; ++number) {
        const char* known = ::sigabbrev_np(number);
        if (known != nullptr && name == known) {
            signal = number;
        }
    }
    if (!signal || *signal < 1 || *signal > SIGRTMAX) {
        throw Error{ErrorCode::InvalidArgument,
                    "\"" + std::string{text.substr(0, 64)} + "\" is no signal; write it like KILL, SIGTERM or 9"};
    }
    return *signal;
}

}  // namespace banger::cli
