// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/private_bus.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <vector>

#include "agent/core/vm/vm_files.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/pipe.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::milliseconds start_limit{10'000};

void check_folder(const std::filesystem::path& folder)
{
    make_private_folder(folder);
    struct stat status {};
    constexpr mode_t others = S_IRWXG | S_IRWXO;
    if (::lstat(folder.c_str(), &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
        (status.st_mode & others) != 0) {
        throw Error{
            ErrorCode::NotAuthorized,
            folder.string() + " must be a folder of yours with mode 0700; chmod 700 it, or set XDG_RUNTIME_DIR"};
    }
}

/// Bytes outside this set as %XX, as the D-Bus specification has it for addresses; what is left is harmless in XML, too.
std::string address_of(const std::filesystem::path& socket)
{
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/.";
    constexpr std::string_view digits = "0123456789abcdef";
    std::string address{"unix:path="};
    for (const char c : socket.string()) {
        const auto byte = static_cast<unsigned char>(c);
        if (plain.find(c) != std::string_view::npos) {
            address += c;
        } else {
            address += {'%', digits[byte >> 4U], digits[byte & 0xfU]};
        }
    }
    return address;
}

/// As dbus-daemon(1) has it; session-type, so that only our own uid may connect.
std::filesystem::path write_configuration(const std::filesystem::path& socket)
{
    auto path = socket;
    path.replace_extension(".conf");
    std::ofstream file{path, std::ios::trunc};
    file << R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>)"
         << address_of(socket) << R"(</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow receive_requested_reply="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_message_size">67108864</limit>
  <limit name="max_message_unix_fds">64</limit>
  <limit name="max_connections_per_user">1024</limit>
  <limit name="max_pending_service_starts">16</limit>
  <limit name="reply_timeout">2000000000</limit>
</busconfig>
)";
    file.close();
    if (!file) {
        throw errno_error("can't write " + path.string(), errno);
    }
    return path;
}

}  // namespace

PrivateBus::PrivateBus(const std::filesystem::path& folder, const std::string& instance)
{
    check_folder(folder);
    const auto socket = folder / (instance + ".sock");
    constexpr std::size_t path_limit = 107;  // sun_path, unix(7)
    if (socket.string().size() > path_limit) {
        throw Error{ErrorCode::HostLacks,
                    socket.string() +
                        " is too long for a socket's path; set XDG_RUNTIME_DIR to a folder of yours with a short one"};
    }
    const auto program = find_program("dbus-daemon").string();
    const auto configuration = "--config-file=" + write_configuration(socket).string();
    std::error_code none;
    std::filesystem::remove(socket, none);
    auto address = make_pipe("dbus-daemon");
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        // Not SIGTERM: it would remove its socket, by then perhaps the next one's of the same name.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t no_signals;
        sigemptyset(&no_signals);
        ::sigprocmask(SIG_SETMASK, &no_signals, nullptr);
        constexpr int address_fd = 3;
        if (::getppid() != parent || (::dup2(address.write.get(), address_fd) < 0)) {
            ::_exit(127);
        }
        ::fcntl(address_fd, F_SETFD, 0);
        ::execl(program.c_str(), program.c_str(), configuration.c_str(), "--nofork", "--nopidfile", "--nosyslog",
                "--print-address=3", nullptr);
        ::_exit(127);
    }
    address.write.reset();
    pollfd readable{address.read.get(), POLLIN, 0};
    std::array<char, 512> text{};
    const bool answered = pid_ > 0 && ::poll(&readable, 1, static_cast<int>(start_limit.count())) == 1;
    const auto got = answered ? ::read(address.read.get(), text.data(), text.size()) : 0;
    if (got <= 0) {
        end(SIGKILL);
        throw Error{ErrorCode::Failed, "dbus-daemon does not start; its words are on standard error"};
    }
    address_ = address_of(socket);
}

PrivateBus::~PrivateBus() { end(SIGTERM); }

void PrivateBus::end(int signal) noexcept
{
    if (pid_ > 0) {
        ::kill(pid_, signal);
        ::waitpid(pid_, nullptr, 0);
    }
}

}  // namespace banger::agent
