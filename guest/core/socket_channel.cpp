// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// After sys/socket.h, which it needs.
#include <linux/vm_sockets.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "common/error.hpp"
#include "guest/core/channel.hpp"

namespace banger::guest {
namespace {

class SocketChannel : public Channel {
public:
    SocketChannel(Loop& loop, UniqueFd listener) : loop_{loop}, listener_{std::move(listener)} {}

    void start(Events events) override
    {
        events_ = std::move(events);
        listening_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
    }

    std::size_t read(std::span<std::uint8_t> buffer) override
    {
        const auto count = connection_ ? ::read(connection_.get(), buffer.data(), buffer.size()) : -1;
        if (count > 0) {
            return static_cast<std::size_t>(count);
        }
        if (connection_ && (count == 0 || (errno != EAGAIN && errno != EINTR))) {
            drop();
        }
        return 0;
    }

    std::size_t write(wire::ByteView data) override
    {
        if (!connection_) {
            return 0;
        }
        const auto count = ::send(connection_.get(), data.data(), data.size(), MSG_NOSIGNAL);
        return count > 0 ? static_cast<std::size_t>(count) : 0;  // an error shows in read() too
    }

private:
    void accept()
    {
        UniqueFd connection{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!connection) {
            return;
        }
        drop();
        connection_ = std::move(connection);
        watch_ =
            loop_.watch(connection_.get(), EPOLLIN | EPOLLOUT | EPOLLET, [this](std::uint32_t) { events_.ready(); });
        loop_.defer(events_.ready);
    }

    void drop()
    {
        if (connection_) {
            watch_.reset();
            connection_.reset();
            events_.disconnected();
        }
    }

    Loop& loop_;
    UniqueFd listener_;
    UniqueFd connection_;
    Events events_;
    Loop::Watch listening_;
    Loop::Watch watch_;
};

}  // namespace

std::unique_ptr<Channel> make_socket_channel(Loop& loop, UniqueFd listener)
{
    return std::make_unique<SocketChannel>(loop, std::move(listener));
}

UniqueFd listen_vsock(std::uint32_t port)
{
    UniqueFd fd{::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = VMADDR_CID_ANY;
    address.svm_port = port;
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 4) != 0) {
        throw errno_error("The guest can't listen on vsock port " + std::to_string(port), errno,
                          ErrorCode::Unavailable);
    }
    return fd;
}

namespace {

/// Tells the host that somebody listens now, as its earlier connections were cut off: a connection to the same port of its own, which it
/// takes for a knock. It neither waits nor minds a host that isn't there.
void knock(std::uint32_t port)
{
    const UniqueFd fd{::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = VMADDR_CID_HOST;
    address.svm_port = port;
    (void)!::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

std::unique_ptr<Channel> open_channel(Loop& loop, std::string_view spec)
{
    constexpr std::string_view vsock = "vsock:";
    if (spec == "virtio-serial") {
        return open_virtio_port(loop);
    }
    if (spec.starts_with(vsock)) {
        const auto number = spec.substr(vsock.size());
        std::uint32_t port = 0;
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), port);
        if (error == std::errc{} && end == number.data() + number.size()) {
            auto listener = listen_vsock(port);
            knock(port);
            return make_socket_channel(loop, std::move(listener));
        }
    }
    throw Error{ErrorCode::InvalidArgument, "banger.channel= is neither virtio-serial nor vsock:PORT"};
}

}  // namespace banger::guest
