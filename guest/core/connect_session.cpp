// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/connect_session.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace banger::guest {
namespace {

constexpr std::chrono::milliseconds retry_pause{200};

std::optional<SocketAddress> address_of(const std::string& host, std::uint16_t port)
{
    SocketAddress address;
    sockaddr_in v4{};
    if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&address.storage, &v4, sizeof v4);
        address.size = sizeof v4;
        address.own = host.starts_with("127.");
        return address;
    }
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&address.storage, &v6, sizeof v6);
        address.size = sizeof v6;
        address.own = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0;
        return address;
    }
    return std::nullopt;
}

/// Numeric addresses only: a static program has no resolver. And "localhost", which is both: servers that are told to listen there choose
/// one of them.
std::vector<SocketAddress> addresses_of(const wire::Connect& connect)
{
    std::vector<SocketAddress> addresses;
    const bool is_local = connect.host == "localhost";
    for (const auto& host : is_local ? std::vector<std::string>{"127.0.0.1", "::1"} : std::vector{connect.host}) {
        if (const auto address = address_of(host, connect.port)) {
            addresses.push_back(*address);
        }
    }
    return addresses;
}

}  // namespace

ConnectSession::ConnectSession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::Connect& connect,
                               std::function<bool()> starting)
    : loop_{loop},
      link_{mux, stream},
      where_{connect.host + " port " + std::to_string(connect.port)},
      starting_{std::move(starting)},
      sink_{loop, link_},
      source_{loop, link_}
{
    addresses_ = addresses_of(connect);
    if (addresses_.empty()) {
        finished_ = true;
        link_.refuse({wire::RefusedCode::BadRequest, connect.host + " is not an IP address"});
        return;
    }
    try_now();
}

void ConnectSession::try_now()
{
    const auto& address = addresses_[at_];
    last_try_ = !address.own || !starting_();
    socket_.reset(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto* target = reinterpret_cast<const sockaddr*>(&address.storage);
    if (!socket_ || (::connect(socket_.get(), target, address.size) != 0 && errno != EINPROGRESS)) {
        failed(errno);
        return;
    }
    connecting_ = loop_.watch(socket_.get(), EPOLLOUT, [this](std::uint32_t) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        connecting_.reset();
        if (error != 0) {
            failed(error);
        } else {
            connected();
        }
    });
}

void ConnectSession::failed(int error)
{
    if (at_ + 1 < addresses_.size()) {
        first_error_ = error;
        ++at_;
        try_now();
        return;
    }
    if (at_ > 0) {
        error = first_error_;  // a guest without IPv6 would say that instead of "refused"
        at_ = 0;
    }
    if (error == ECONNREFUSED && !last_try_) {
        retry_ = loop_.after(retry_pause, [this] { try_now(); });
        return;
    }
    finished_ = true;
    link_.refuse(
        {wire::RefusedCode::Unreachable, "No connection to " + where_ + " in the guest: " + std::strerror(error)});
}

void ConnectSession::connected()
{
    read_end_.reset(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 3));
    if (!read_end_) {
        failed(errno);
        return;
    }
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    link_.accept({});
    source_.start(read_end_.get(), [this] {
        link_.end();
        finish_if_done();
    });
    sink_.start(socket_.get(), [this] {
        ::shutdown(socket_.get(), SHUT_WR);
        sent_all_ = true;
        finish_if_done();
    });
}

void ConnectSession::finish_if_done()
{
    if (!finished_ && (sent_all_ || sink_.broken()) && source_.done()) {
        finished_ = true;
        link_.close();
    }
}

void ConnectSession::on_data(wire::StreamId /*stream*/, wire::ByteView data)
{
    sink_.data(data);
    if (sink_.broken()) {
        finish_if_done();
    }
}
void ConnectSession::on_eof(wire::StreamId /*stream*/) { sink_.eof(); }
void ConnectSession::on_writable(wire::StreamId /*stream*/) { source_.writable(); }
void ConnectSession::on_message(const wire::StreamMessage& /*message*/) {}

void ConnectSession::on_gone(wire::StreamId /*stream*/, Gone /*how*/)
{
    link_.cut();
    connecting_.reset();
    retry_.reset();
    source_.stop();
    sink_.stop();
    finished_ = true;
}

}  // namespace banger::guest
