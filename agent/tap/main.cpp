// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>

#include "agent/tap/bridge.hpp"
#include "agent/tap/carrier_watch.hpp"
#include "agent/tap/frame_relay.hpp"
#include "agent/tap/own_namespace.hpp"
#include "common/error.hpp"
#include "common/pipe.hpp"

namespace {

using namespace banger;
using namespace banger::tap;

constexpr int exit_usage = 2;
// bangerd has the VMM started within seconds; when it can't, and dies too, nobody else would end us.
constexpr int vmm_limit_ms = 120'000;

struct Arguments {
    bool check{false};
    std::string socket;    ///< banger-netguard's
    std::string pid_file;  ///< gets "PID START-TIME"
};

Arguments parse(std::span<char*> words)
{
    Arguments arguments;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string word{words[at]};
        if (word == "--check") {
            arguments.check = true;
        } else if ((word == "--socket" || word == "--pid") && at + 1 < words.size()) {
            (word == "--socket" ? arguments.socket : arguments.pid_file) = words[++at];
        } else {
            throw Error{ErrorCode::InvalidArgument, "'" + word + "' is no option, or lacks its value"};
        }
    }
    const bool complete = !arguments.socket.empty() && !arguments.pid_file.empty();
    if (!arguments.check && (!complete || arguments.socket.size() >= sizeof sockaddr_un{}.sun_path)) {
        throw Error{ErrorCode::InvalidArgument,
                    "--socket SOCKET and --pid FILE are needed; bangerd starts this program"};
    }
    return arguments;
}

UniqueFd connect_netguard(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error("can't connect to " + path, errno);
    }
    return fd;
}

/// Field 22 of proc(5)'s stat, so that a pid used again is not taken for us.
std::string start_time()
{
    std::ifstream file{"/proc/self/stat"};
    std::string text;
    std::getline(file, text);
    std::size_t at = text.rfind(')') + 1;
    for (int field = 3; field < 22; ++field) {
        at = text.find(' ', at + 1);
    }
    return text.substr(at + 1, text.find(' ', at + 1) - at - 1);
}

void write_pid_file(const std::string& path)
{
    ::unlink(path.c_str());
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    const auto text = std::to_string(::getpid()) + " " + start_time() + "\n";
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw errno_error("can't write " + path, errno);
    }
}

/// Until the VMM has left its device, or the network has ended.
void serve(FrameRelay& relay, CarrierWatch& carrier)
{
    constexpr short closed = POLLHUP | POLLRDHUP | POLLERR | POLLNVAL;
    while (!carrier.was_up() || carrier.is_up()) {
        std::array<pollfd, 3> sources{{{relay.tap_fd(), relay.tap_events(), 0},
                                       {relay.stream_fd(), static_cast<short>(relay.stream_events() | POLLRDHUP), 0},
                                       {carrier.fd(), POLLIN, 0}}};
        const int ready = ::poll(sources.data(), sources.size(), carrier.was_up() ? -1 : vmm_limit_ms);
        if (ready < 0 && errno != EINTR) {
            throw errno_error("can't wait for frames", errno);
        }
        if (ready == 0 || (sources[1].revents & closed) != 0) {
            return;
        }
        if (ready > 0 && sources[2].revents != 0) {
            carrier.update();
        }
        const bool out = ready > 0 && ((sources[0].revents & POLLIN) != 0 || (sources[1].revents & POLLOUT) != 0);
        const bool in = ready > 0 && (sources[1].revents & POLLIN) != 0;
        if ((out && !relay.to_stream()) || (in && !relay.to_tap())) {
            return;
        }
    }
}

/// The process that stays. What can fail has been done when it writes to `ready`.
int stay(const Arguments& arguments, UniqueFd ready)
{
    ::setsid();
    enter_own_namespace();
    auto tap = make_bridged_tap();
    FrameRelay relay{std::move(tap), connect_netguard(arguments.socket)};
    CarrierWatch carrier;
    write_pid_file(arguments.pid_file);
    drop_capabilities();
    (void)!::write(ready.get(), "\n", 1);
    ready.reset();
    serve(relay, carrier);
    return EXIT_SUCCESS;
}

int run(const Arguments& arguments)
{
    if (arguments.check) {
        enter_own_namespace();
        make_bridged_tap();
        return EXIT_SUCCESS;
    }
    auto pipe = make_pipe("its child");
    const auto said = std::move(pipe.read);
    auto ready = std::move(pipe.write);
    const pid_t child = ::fork();
    if (child < 0) {
        throw errno_error("can't fork", errno);
    }
    if (child == 0) {
        return stay(arguments, std::move(ready));
    }
    ready.reset();
    char byte = 0;
    return ::read(said.get(), &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;  // why not is on standard error
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        return run(parse({argv + 1, argv + std::max(argc, 1)}));
    } catch (const Error& failure) {
        std::fprintf(stderr, "banger-tap: %s\n", failure.what());
        return failure.code() == ErrorCode::InvalidArgument ? exit_usage : EXIT_FAILURE;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "banger-tap: %s\n", failure.what());
    } catch (...) {
        std::fputs("banger-tap: failed for a reason that it doesn't know\n", stderr);
    }
    return EXIT_FAILURE;
}
