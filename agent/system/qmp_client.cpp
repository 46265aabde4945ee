// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/qmp_client.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

namespace banger::agent {
namespace {

constexpr std::size_t line_limit = 1U << 20U;  // QEMU's own answers are far shorter

/// Empty when it isn't there or no text: nothing of what a VMM says is trusted to have the right shape.
std::string text_member(const nlohmann::json& object, const char* key)
{
    if (!object.is_object()) {
        return {};
    }
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

}  // namespace

QmpClient::QmpClient(EventLoop& loop, UniqueFd socket) : socket_{std::move(socket)}
{
    source_ = loop.on_io(socket_.get(), EPOLLIN, [this](std::uint32_t) {
        if (!read_once()) {
            source_.reset();
        }
    });
}

std::optional<GuestEnd> QmpClient::guest_end()
{
    // The process watch may fire before the last event was read.
    pollfd readable{socket_.get(), POLLIN, 0};
    while (!guest_end_ && ::poll(&readable, 1, 0) == 1 && read_once()) {
    }
    return guest_end_;
}

bool QmpClient::quit()
{
    send(R"({"execute":"quit"})");
    return true;
}

void QmpClient::go_on()
{
    stuck_ = false;  // BLOCK_IO_ERROR comes again when it still is
    send(R"({"execute":"cont"})");
}

void QmpClient::send(std::string_view command)
{
    // A few dozen bytes into an empty socket buffer: it is taken whole, or QEMU is gone and the process watch says so.
    const auto line = std::string{command} + "\n";
    [[maybe_unused]] const auto sent = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool QmpClient::read_once()
{
    std::array<char, 4096> buffer{};
    const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    for (auto end = received_.find('\n'); end != std::string::npos; end = received_.find('\n')) {
        on_line(std::string_view{received_}.substr(0, end));
        received_.erase(0, end + 1);
    }
    if (received_.size() > line_limit) {
        received_.clear();
        return false;
    }
    return got > 0;
}

void QmpClient::on_line(std::string_view line)
{
    const auto message = nlohmann::json::parse(line, nullptr, false);
    if (!message.is_object()) {
        return;
    }
    if (message.contains("QMP")) {
        send(R"({"execute":"qmp_capabilities"})");
        send(R"({"execute":"query-status"})");  // it may be stuck since a bangerd before this one
        return;
    }
    if (const auto answer = message.find("return"); answer != message.end()) {
        stuck_ = stuck_ || text_member(*answer, "status") == "io-error";
        return;
    }
    // QEMU's default for a write that finds no space (werror=enospc) is to stop the guest, which loses nothing.
    if (text_member(message, "event") == "BLOCK_IO_ERROR") {
        const auto data = message.find("data");
        stuck_ = stuck_ || (data != message.end() && text_member(*data, "action") == "stop");
    }
    if (text_member(message, "event") == "SHUTDOWN") {
        const auto data = message.find("data");
        const auto reason = data != message.end() ? text_member(*data, "reason") : std::string{};
        guest_end_ = reason == "guest-reset" ? GuestEnd::Reset : GuestEnd::PowerOff;
    }
}

}  // namespace banger::agent
