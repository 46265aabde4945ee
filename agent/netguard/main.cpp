// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/netguard/host_addresses.hpp"
#include "agent/netguard/relay.hpp"
#include "common/error.hpp"

namespace {

using namespace banger;
using namespace banger::netguard;

constexpr int exit_usage = 2;
// bangerd has the VMM started within seconds. When it can't, and dies too, nobody else would end us, and passt with us.
constexpr std::chrono::milliseconds vmm_limit{120'000};

struct Arguments {
    std::string passt;  ///< the path of its socket
    std::vector<Prefix> allowed;
    bool allow_host{false};
};

Arguments parse(std::span<char*> words)
{
    Arguments arguments;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string_view word{words[at]};
        if (word == "--allow-host") {
            arguments.allow_host = true;
        } else if ((word == "--passt" || word == "--allow") && at + 1 < words.size()) {
            const std::string_view value{words[++at]};
            if (word == "--passt") {
                arguments.passt = value;
            } else {
                arguments.allowed.push_back(Prefix::of(Address::parse(value)));
            }
        } else {
            throw Error{ErrorCode::InvalidArgument, "'" + std::string{word} + "' is no option, or lacks its value"};
        }
    }
    if (arguments.passt.empty() || arguments.passt.size() >= sizeof sockaddr_un{}.sun_path) {
        throw Error{ErrorCode::InvalidArgument, "--passt SOCKET is missing, or too long for a socket's path"};
    }
    int listening = 0;
    socklen_t size = sizeof listening;
    if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || listening == 0) {
        throw Error{ErrorCode::InvalidArgument,
                    "standard input has to be the socket that the VMM connects to; bangerd starts this program"};
    }
    return arguments;
}

UniqueFd connect_passt(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error("can't connect to passt at " + path, errno);
    }
    return fd;
}

/// The one connection that there will be; none when passt ended first, or nobody came.
UniqueFd accept_vmm(UniqueFd listener, const UniqueFd& passt)
{
    std::array<pollfd, 2> sources{{{listener.get(), POLLIN, 0}, {passt.get(), POLLRDHUP, 0}}};
    int ready = 0;
    do {
        ready = ::poll(sources.data(), sources.size(), static_cast<int>(vmm_limit.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0 || sources[1].revents != 0) {
        return {};
    }
    UniqueFd fd{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!fd) {
        throw errno_error("can't accept the VMM", errno);
    }
    return fd;
}

void serve(const Arguments& arguments)
{
    HostAddresses addresses;
    Rules rules;
    rules.allowed = AddressSet{arguments.allowed};
    const auto read_addresses = [&] { rules.host = addresses.read(); };
    Watch watch;
    if (!arguments.allow_host) {
        read_addresses();
        watch = {addresses.fd(), read_addresses};
    }
    auto passt = connect_passt(arguments.passt);
    auto vmm = accept_vmm(UniqueFd{STDIN_FILENO}, passt);
    if (!vmm) {
        return;
    }
    Relay relay{std::move(vmm), std::move(passt), rules, watch};
    relay.run();
    if (relay.dropped() > 0) {
        std::fprintf(stderr, "banger-netguard: kept back %llu of the guest's frames\n",
                     static_cast<unsigned long long>(relay.dropped()));
    }
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        const auto arguments = parse({argv + 1, argv + std::max(argc, 1)});
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
            throw errno_error("can't give up new privileges", errno);
        }
        serve(arguments);
        return EXIT_SUCCESS;
    } catch (const Error& failure) {
        std::fprintf(stderr, "banger-netguard: %s\n", failure.what());
        return failure.code() == ErrorCode::InvalidArgument ? exit_usage : EXIT_FAILURE;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "banger-netguard: %s\n", failure.what());
    } catch (...) {
        std::fputs("banger-netguard: failed for a reason that it doesn't know\n", stderr);
    }
    return EXIT_FAILURE;
}
