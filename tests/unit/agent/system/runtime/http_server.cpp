// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/agent/system/runtime/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

namespace banger::agent::test {
namespace {

void send_all(int connection, std::string_view text)
{
    while (!text.empty()) {
        const auto sent = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string read_head(int connection)
{
    std::string head;
    std::array<char, 4096> buffer{};
    while (head.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::recv(connection, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            break;
        }
        head.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return head;
}

}  // namespace

HttpServer::HttpServer()
    : listening_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, ending_{::eventfd(0, EFD_CLOEXEC)}
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening_.get(), generic, size) < 0 || ::listen(listening_.get(), 8) < 0 ||
        ::getsockname(listening_.get(), generic, &size) < 0) {
        throw std::runtime_error{"no server on 127.0.0.1"};
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
}

HttpServer::~HttpServer()
{
    ::eventfd_write(ending_.get(), 1);
    thread_.join();
}

std::string HttpServer::url(const std::string& path) const
{
    return "http://127.0.0.1:" + std::to_string(port_) + path;
}

void HttpServer::set(const std::string& path, Reply reply)
{
    const std::lock_guard guard{mutex_};
    replies_[path] = {std::move(reply)};
}

void HttpServer::set_sequence(const std::string& path, std::vector<Reply> replies)
{
    const std::lock_guard guard{mutex_};
    replies_[path] = std::move(replies);
}

void HttpServer::set_file(const std::string& path, const std::string& content)
{
    set(path, {.head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()), .body = content});
}

std::vector<std::string> HttpServer::asked() const
{
    const std::lock_guard guard{mutex_};
    return asked_;
}

std::vector<std::string> HttpServer::heads() const
{
    const std::lock_guard guard{mutex_};
    return heads_;
}

void HttpServer::serve()
{
    std::array<pollfd, 2> watched{pollfd{listening_.get(), POLLIN, 0}, pollfd{ending_.get(), POLLIN, 0}};
    while (::poll(watched.data(), watched.size(), -1) > 0 && watched[1].revents == 0) {
        const UniqueFd connection{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (connection) {
            answer(connection.get());
        }
    }
}

void HttpServer::answer(int connection)
{
    const auto head = read_head(connection);
    const auto begin = head.find(' ') + 1;
    const auto path = head.substr(begin, head.find(' ', begin) - begin);
    Reply reply{.head = "HTTP/1.1 404 Not Found", .body = "no"};
    {
        const std::lock_guard guard{mutex_};
        asked_.push_back(path);
        heads_.push_back(head);
        if (const auto at = replies_.find(path); at != replies_.end()) {
            reply = at->second.front();
            if (at->second.size() > 1) {
                at->second.erase(at->second.begin());
            }
        }
    }
    send_all(connection, reply.head + "\r\nConnection: close\r\n\r\n" + reply.body);
    if (reply.stalls_then) {
        if (on_stall_) {
            on_stall_();
        }
        std::array<pollfd, 2> watched{pollfd{connection, POLLIN, 0}, pollfd{ending_.get(), POLLIN, 0}};
        ::poll(watched.data(), watched.size(), -1);
    }
}

}  // namespace banger::agent::test
