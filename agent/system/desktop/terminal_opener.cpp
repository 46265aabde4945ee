// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/desktop/terminal_opener.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "agent/system/bus_call.hpp"
#include "agent/system/subprocess.hpp"
#include "common/ids.hpp"
#include "common/pipe.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

struct TerminalProgram {
    std::string_view name;
    std::string_view before_command;  ///< an option; empty: none
};
constexpr std::array terminal_programs{TerminalProgram{"xdg-terminal-exec", ""},
                                       TerminalProgram{"x-terminal-emulator", "-e"}};

constexpr std::chrono::milliseconds unit_limit{5'000};

using UnitProperty = sdbus::Struct<std::string, sdbus::Variant>;
using UnitProperties = std::vector<UnitProperty>;
using UnitCommand = sdbus::Struct<std::string, std::vector<std::string>, bool>;
using UnitAuxiliary = sdbus::Struct<std::string, UnitProperties>;

/// systemd.service(5). Where desktops put what they start (systemd's DESKTOP_ENVIRONMENTS), so that it counts as an application.
UnitProperties terminal_properties(const TerminalCommand& command)
{
    UnitProperties properties;
    const auto set = [&properties](const char* name, sdbus::Variant value) {
        properties.emplace_back(name, std::move(value));
    };
    set("Description", sdbus::Variant{to_utf8(command.title)});
    set("Type", sdbus::Variant{std::string{"exec"}});
    set("Slice", sdbus::Variant{std::string{"app.slice"}});
    set("CollectMode", sdbus::Variant{std::string{"inactive-or-failed"}});
    set("ExecStart", sdbus::Variant{std::vector<UnitCommand>{UnitCommand{command.argv.front(), command.argv, false}}});
    return properties;
}

/// What the child needs, made before the fork: from there to the exec only async-signal-safe calls are allowed.
struct DetachedChild {
    char* const* argv;
    const char* home;
    int null;
    int report;  ///< write end of a close-on-exec pipe: errno if the program can't be run

    [[noreturn]] void run() const
    {
        constexpr mode_t usual_umask = 022;  // bangerd's own would make all folders of that shell private
        constexpr int not_started = 127;
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        ::umask(usual_umask);
        [[maybe_unused]] const int at_home = ::chdir(home);  // else it begins in /
        if (::dup2(null, STDIN_FILENO) >= 0 && ::dup2(null, STDOUT_FILENO) >= 0 && ::dup2(null, STDERR_FILENO) >= 0) {
            ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
            ::execv(argv[0], argv);
        }
        const int problem = errno;
        [[maybe_unused]] const auto written = ::write(report, &problem, sizeof problem);
        ::_exit(not_started);
    }
};

/// By a double fork, so that init waits for it and not bangerd. Worker thread. Throws Failed.
void start_detached(std::vector<std::string> argv, const std::filesystem::path& home)
{
    UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (!null) {
        throw errno_error("can't start " + argv.front(), errno);
    }
    auto pipe = make_pipe(argv.front());
    const auto report = std::move(pipe.read);
    auto report_in = std::move(pipe.write);
    std::vector<char*> pointers;
    for (auto& word : argv) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    const DetachedChild child{pointers.data(), home.c_str(), null.get(), report_in.get()};
    const pid_t middle = ::fork();
    if (middle < 0) {
        throw errno_error("can't start " + argv.front(), errno);
    }
    if (middle == 0) {
        ::setsid();
        const pid_t program = ::fork();
        if (program == 0) {
            child.run();
        }
        ::_exit(program < 0 ? errno : 0);
    }
    report_in.reset();
    int status = 0;
    while (::waitpid(middle, &status, 0) < 0 && errno == EINTR) {
    }
    int problem = WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
    if (::read(report.get(), &problem, sizeof problem) > 0 || problem != 0) {
        throw errno_error("can't run " + argv.front(), problem);
    }
}

}  // namespace

std::vector<std::string> in_a_terminal(const std::vector<std::string>& argv)
{
    for (const auto& program : terminal_programs) {
        std::vector<std::string> words;
        try {
            words.push_back(find_program(program.name).string());
        } catch (const Error&) {
            continue;
        }
        if (!program.before_command.empty()) {
            words.emplace_back(program.before_command);
        }
        words.insert(words.end(), argv.begin(), argv.end());
        return words;
    }
    throw Error{ErrorCode::HostLacks,
                "there is neither xdg-terminal-exec nor x-terminal-emulator; as root: apt install xterm"};
}

TerminalOpener::TerminalOpener(EventLoop& loop, Lane& lane, sdbus::IConnection* systemd, std::filesystem::path home)
    : loop_{&loop}, lane_{&lane}, systemd_{systemd}, home_{std::move(home)}
{
}

TerminalOpener::~TerminalOpener() = default;

Task<void> TerminalOpener::open(TerminalCommand command)
{
    auto find = [argv = command.argv] { return in_a_terminal(argv); };
    command.argv = co_await run_on(*loop_, *lane_, std::move(find));
    std::optional<Error> no_unit;
    if (systemd_ != nullptr) {
        try {
            co_await open_as_unit(command);
        } catch (const Error& error) {
            no_unit = error;
        }
        if (!no_unit) {
            co_return;
        }
    }
    auto start = [argv = command.argv, home = home_] { start_detached(argv, home); };
    co_await run_on(*loop_, *lane_, std::move(start));
}

/// Without a look at the job: the program is there, and what becomes of it is in the user's own sight.
Task<void> TerminalOpener::open_as_unit(TerminalCommand command)
{
    try {
        if (!manager_) {
            manager_ = sdbus::createProxy(*systemd_, bus::ServiceName{"org.freedesktop.systemd1"},
                                          sdbus::ObjectPath{"/org/freedesktop/systemd1"});
        }
    } catch (const sdbus::Error& error) {
        throw bus::from_bus_error(error);
    }
    const auto held = manager_;
    const auto unit = "app-dev.banger.Banger@" + VmId::random().str() + ".service";
    const std::vector<UnitAuxiliary> none;
    const BusMethod start{"org.freedesktop.systemd1.Manager", "StartTransientUnit", unit_limit};
    const auto answer = call_on_bus<sdbus::ObjectPath>(*loop_, *held, start, unit, std::string{"fail"},
                                                       terminal_properties(command), none);
    co_await answer.wait();
}

}  // namespace banger::agent
