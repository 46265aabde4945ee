// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "agent/confine/arguments.hpp"
#include "agent/confine/landlock.hpp"
#include "agent/confine/own_root.hpp"
#include "agent/confine/system_calls.hpp"
#include "common/error.hpp"

namespace {

using namespace banger;
using namespace banger::confine;

constexpr int exit_usage = 2;
constexpr int exit_not_started = 127;
constexpr int connection_fd = 3;  // QEMU's words name it (agent/system/qemu_driver.cpp)

/// The socket has to be called before the VMM may call none.
void hand_over_connection(const std::string& name)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error("can't connect to " + name, errno);
    }
    if (fd.get() == connection_fd) {
        ::fcntl(fd.release(), F_SETFD, 0);
    } else if (::dup2(fd.get(), connection_fd) < 0) {
        throw errno_error("can't hand over the connection to " + name, errno);
    }
}

/// The VMM's own is empty: bangerd's may hold a password, of a proxy for one, or a token.
void forget_environment()
{
    if (::clearenv() != 0 || ::setenv("PATH", "/usr/bin:/bin", 1) < 0) {
        throw errno_error("can't clear the environment", errno);
    }
}

/// What `banger doctor` shows.
int tell_what_is_there(const Arguments& arguments)
{
    const int version = landlock_version();
    const auto no_root = OwnRoot{arguments}.problem();
    const auto files = version > 0 ? "Landlock " + std::to_string(version) : std::string{"no Landlock"};
    const auto root =
        no_root.empty() ? std::string{"a root folder of its own"} : "no root folder of its own: " + no_root;
    std::printf("%s; a filter of system calls; %s\n", files.c_str(), root.c_str());
    return version > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/// False: this host gives none.
bool enter_own_root(const Arguments& arguments)
{
    const OwnRoot root{arguments};
    return root.problem().empty() && root.enter();
}

int run(const Arguments& arguments)
{
    if (arguments.check) {
        return tell_what_is_there(arguments);
    }
    if (!arguments.connect.empty()) {
        hand_over_connection(arguments.connect);
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        throw errno_error("can't give up new privileges", errno);
    }
    forget_environment();
    // Of the files themselves, so they hold in either root.
    const auto grants = open_grants(arguments);
    const bool apart = enter_own_root(arguments);
    restrict_files(grants);
    if (apart) {
        drop_capabilities();
    }
    restrict_system_calls(sockets_in_reach(arguments, apart, landlock_version()));
    ::execv(arguments.program[0], arguments.program.data());
    throw errno_error(std::string{"can't run "} + arguments.program[0], errno);
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        return run(parse_arguments({argv + 1, argv + std::max(argc, 1)}, std::filesystem::current_path()));
    } catch (const Error& failure) {
        std::fprintf(stderr, "banger-confine: %s\n", failure.what());
        return failure.code() == ErrorCode::InvalidArgument ? exit_usage : exit_not_started;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "banger-confine: %s\n", failure.what());
    } catch (...) {
        std::fputs("banger-confine: failed for a reason that it doesn't know\n", stderr);
    }
    return exit_not_started;
}
