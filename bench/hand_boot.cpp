// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench_hand_boot FOLDER PROGRAM ARGUMENT…
//
// What a person would do without banger: starts a VMM in the VM's folder with the two listening sockets that it expects as standard
// input and output, configures the guest, waits until it is ready, runs /bin/true in it, and kills the VMM. Prints
// {"ready_ms": N, "first_command_ms": N}, both from just before the VMM's start.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"

namespace {

using namespace banger;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds limit{300};

sockaddr_un address_of(const char* name)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    return address;
}

UniqueFd listen_at(const char* name)
{
    ::unlink(name);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = address_of(name);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(fd.get(), 1) < 0) {
        throw errno_error(std::string{"can't listen at "} + name, errno);
    }
    return fd;
}

UniqueFd connect_to(const char* name)
{
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = address_of(name);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error(std::string{"can't connect to "} + name, errno);
    }
    return fd;
}

/// The VMM, killed when this goes.
class Vmm {
public:
    Vmm(char** argv, const UniqueFd& guest, const UniqueFd& control) : pid_{::fork()}
    {
        if (pid_ == 0) {
            ::dup2(guest.get(), STDIN_FILENO);
            ::dup2(control.get(), STDOUT_FILENO);
            ::execvp(argv[0], argv);
            std::perror(argv[0]);
            ::_exit(127);
        }
    }
    Vmm(const Vmm&) = delete;
    Vmm& operator=(const Vmm&) = delete;
    ~Vmm()
    {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

private:
    pid_t pid_;
};

/// The host's side of the conversation: configure, ready, one command.
class Host : public wire::MuxHandler {
public:
    void on_synced(wire::ByteView) override
    {
        wire::Configure settings;
        settings.unix_ns = std::chrono::nanoseconds{std::chrono::system_clock::now().time_since_epoch()}.count();
        settings.entropy = std::string(64, 'x');
        mux->control(wire::encode(wire::Control{wire::Request{1, settings}}));
    }
    void on_lost(std::string_view why) override { throw Error{ErrorCode::Unavailable, std::string{why}}; }
    void on_control(wire::ByteView payload) override
    {
        if (std::holds_alternative<wire::Ready>(wire::decode_control(payload))) {
            ready = Clock::now();
            wire::Exec command;
            command.argv = {"/bin/true"};
            mux->open(wire::encode(wire::OpenRequest{command}));
        }
    }
    void on_open(wire::StreamId, wire::ByteView) override {}
    void on_opened(wire::StreamId stream, wire::ByteView) override { mux->end(stream); }
    void on_refused(wire::StreamId, wire::ByteView) override { throw Error{ErrorCode::Failed, "refused"}; }
    void on_data(wire::StreamId stream, wire::ByteView data) override { mux->consume(stream, data.size()); }
    void on_eof(wire::StreamId) override {}
    void on_writable(wire::StreamId) override {}
    void on_message(wire::StreamId, wire::ByteView) override
    {
        ended = Clock::now();
        done = true;
    }
    void on_closed(wire::StreamId, wire::CloseReason) override {}

    wire::Mux* mux{nullptr};
    Clock::time_point ready;
    Clock::time_point ended;
    bool done{false};
};

void turn(wire::Mux& mux, int fd)
{
    pollfd poll{fd, static_cast<short>((mux.wants_input() ? POLLIN : 0) | (mux.wants_write() ? POLLOUT : 0)), 0};
    if (::poll(&poll, 1, static_cast<int>(std::chrono::milliseconds{limit}.count())) <= 0) {
        throw Error{ErrorCode::TimedOut, "the guest says nothing"};
    }
    if ((poll.revents & POLLOUT) != 0) {
        const auto out = mux.output();
        const auto count = ::send(fd, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        mux.sent(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    if ((poll.revents & (POLLIN | POLLHUP)) != 0) {
        std::array<std::uint8_t, 65536> in{};
        const auto count = ::read(fd, in.data(), in.size());
        if (count <= 0) {
            throw Error{ErrorCode::Unavailable, "the VMM ended"};
        }
        mux.feed({in.data(), static_cast<std::size_t>(count)});
    }
}

void run(char** argv)
{
    std::filesystem::current_path(argv[1]);
    const auto guest = listen_at("guest.sock");
    const auto control = listen_at("control.sock");
    const auto begin = Clock::now();
    const Vmm vmm{argv + 2, guest, control};
    const auto channel = connect_to("guest.sock");
    Host host;
    wire::Mux mux{host, wire::Epoch::random()};
    host.mux = &mux;
    while (!host.done) {
        turn(mux, channel.get());
    }
    const auto ms = [&](Clock::time_point when) {
        return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(when - begin).count());
    };
    std::printf("{\"ready_ms\": %ld, \"first_command_ms\": %ld}\n", ms(host.ready), ms(host.ended));
}

}  // namespace

int main(int argc, char** argv)
try {
    if (argc < 3) {
        std::fprintf(stderr, "usage: bench_hand_boot FOLDER PROGRAM ARGUMENT...\n");
        return 2;
    }
    run(argv);
    return 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "bench_hand_boot: %s\n", problem.what());
    return 1;
}
