// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"

/// A conversation with a guest without bangerd: configure, ready, /bin/true. Sockets are in the working folder.
namespace banger::bench {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds limit{300};

inline sockaddr_un address_of(const char* name)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    return address;
}

inline UniqueFd listen_at(const char* name)
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

inline UniqueFd connect_to(const char* name)
{
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = address_of(name);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error(std::string{"can't connect to "} + name, errno);
    }
    return fd;
}

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

inline void turn(wire::Mux& mux, int fd)
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

/// Until the guest's side connects to `door`; then its vsock.
inline UniqueFd connect_after_knock(const UniqueFd& door)
{
    pollfd poll{door.get(), POLLIN, 0};
    if (::poll(&poll, 1, static_cast<int>(std::chrono::milliseconds{limit}.count())) <= 0) {
        throw Error{ErrorCode::TimedOut, "the guest doesn't knock"};
    }
    auto channel = connect_to("guest.sock");
    constexpr std::string_view command = "CONNECT 1024\n";
    if (::send(channel.get(), command.data(), command.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(command.size())) {
        throw errno_error("Firecracker takes no command", errno);
    }
    return channel;
}

/// To the end of the command.
inline void talk(Host& host, const UniqueFd& channel)
{
    wire::Mux mux{host, wire::Epoch::random()};
    host.mux = &mux;
    while (!host.done) {
        turn(mux, channel.get());
    }
}

}  // namespace banger::bench
