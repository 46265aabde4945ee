// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/stream_bridge.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t read_size = std::size_t{64} << 10U;
constexpr std::size_t packet_limit = 4096;
constexpr std::size_t chunk_limit = wire::max_payload;

bool would_block(int errno_value) { return errno_value == EAGAIN || errno_value == EINTR; }

}  // namespace

FdSink::FdSink(EventLoop& loop, UniqueFd socket, Consumed consumed)
    : socket_{std::move(socket)}, consumed_{std::move(consumed)}
{
    source_ = loop.on_io(socket_.get(), 0, [this](std::uint32_t events) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
            discard();  // shown even when nothing is asked for; level-triggered, so it must be answered
        } else if (write_some() && source_) {  // none: the reader left while this wrote
            source_.set_io_events(0);
        }
        maybe_drained();
    });
}

void FdSink::write(wire::ByteView data)
{
    if (broken_) {
        consumed_(data.size());
        return;
    }
    if (queue_.empty()) {
        const auto sent = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            consumed_(static_cast<std::size_t>(sent));
            data = data.subspan(static_cast<std::size_t>(sent));
        } else if (sent < 0 && !would_block(errno)) {
            discard();
            consumed_(data.size());
            return;
        }
    }
    if (!data.empty()) {
        // Into the last chunk as long as it is small: a guest may send its window byte by byte, and a chunk each would cost 60 times that.
        if (queue_.empty() || queue_.back().size() + data.size() > chunk_limit) {
            queue_.emplace_back();
        }
        queue_.back().insert(queue_.back().end(), data.begin(), data.end());
        source_.set_io_events(EPOLLOUT);
    }
}

bool FdSink::write_some()
{
    while (!queue_.empty()) {
        const auto& chunk = queue_.front();
        const auto sent =
            ::send(socket_.get(), chunk.data() + offset_, chunk.size() - offset_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (would_block(errno)) {
                return false;
            }
            discard();
            return true;
        }
        offset_ += static_cast<std::size_t>(sent);
        if (offset_ == chunk.size()) {
            queue_.pop_front();
            offset_ = 0;
        }
        consumed_(static_cast<std::size_t>(sent));
    }
    return true;
}

void FdSink::discard()
{
    std::size_t dropped = 0;
    for (const auto& chunk : queue_) {
        dropped += chunk.size();
    }
    dropped -= offset_;
    queue_.clear();
    offset_ = 0;
    broken_ = true;
    source_.reset();
    if (dropped > 0) {
        consumed_(dropped);
    }
    if (on_broken_) {
        on_broken_();
    }
}

void FdSink::finish(std::function<void()> drained)
{
    if (!finishing_) {
        finishing_ = true;
        drained_ = std::move(drained);
        maybe_drained();
    }
}

void FdSink::maybe_drained()
{
    if (finishing_ && queue_.empty() && drained_) {
        ::shutdown(socket_.get(), SHUT_WR);
        const auto drained = std::move(drained_);
        drained_ = nullptr;
        drained();
    }
}

StreamBridge::StreamBridge(EventLoop& loop, StreamOwner& owner, wire::StreamId stream, wire::StreamId secondary,
                           Ends ends, OnHangUp on_hang_up)
    : loop_{&loop},
      owner_{&owner},
      stream_{stream},
      secondary_{secondary},
      input_{std::move(ends.input)},
      control_{std::move(ends.control)},
      count_{std::move(ends.count)},
      on_hang_up_{on_hang_up},
      has_control_{static_cast<bool>(control_)}
{
    const auto consume = [this](wire::StreamId id) {
        return [this, id](std::size_t count) {
            if (!done_ && owner_ != nullptr) {
                owner_->mux().consume(id, count);
                owner_->flush();
            }
        };
    };
    output_drained_ = !ends.output;
    error_drained_ = !ends.error;
    if (ends.output) {
        output_ = std::make_unique<FdSink>(loop, std::move(ends.output), consume(stream));
        output_->on_broken([this] {
            output_broken_ = true;
            maybe_done();
        });
    }
    if (ends.error) {
        error_ = std::make_unique<FdSink>(loop, std::move(ends.error), consume(secondary));
    }
}

void StreamBridge::start()
{
    if (done_) {
        return;
    }
    if (input_) {
        watch_input();
    } else {
        input_ended_ = true;
    }
    if (control_) {
        control_source_ = loop_->on_io(control_.get(), EPOLLIN, [this](std::uint32_t) { read_control(); });
    }
}

void StreamBridge::watch_input()
{
    input_source_ = loop_->on_io(input_.get(), EPOLLIN, [this](std::uint32_t) { read_input(); });
}

void StreamBridge::read_input()
{
    const auto keep = shared_from_this();
    const auto room = std::min(owner_->mux().room(stream_), read_size);
    if (room == 0) {
        input_source_
            .reset();  // a client that left would be told of even with no events asked for; on_writable() asks again
        return;
    }
    static std::array<std::uint8_t, read_size> buffer;  // the loop's thread only
    const auto got = ::recv(input_.get(), buffer.data(), room, MSG_DONTWAIT);
    if (got < 0 && would_block(errno)) {
        return;
    }
    if (got <= 0) {
        input_source_.reset();
        input_ended_ = true;
        owner_->mux().end(stream_);
    } else {
        // Never cut short: it asked room() before.
        owner_->mux().write(stream_, wire::ByteView{buffer.data(), static_cast<std::size_t>(got)});
    }
    owner_->flush();
    maybe_done();
}

void StreamBridge::on_writable()
{
    if (input_ && !input_ended_ && !input_source_ && !done_) {
        watch_input();
    }
}

void StreamBridge::read_control()
{
    const auto keep = shared_from_this();
    std::string packet(packet_limit, '\0');
    const auto got = ::recv(control_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0 && would_block(errno)) {
        return;
    }
    if (got <= 0) {
        control_source_.reset();
        if (owner_ != nullptr && !concluded_ && on_hang_up_ == OnHangUp::Reset) {
            owner_->mux().reset(stream_);
            owner_->flush();
        }
        finish();
        return;
    }
    if (concluded_) {
        return;
    }
    packet.resize(static_cast<std::size_t>(got));
    take_packet(packet);
}

void StreamBridge::take_packet(const std::string& packet)
{
    const auto json = nlohmann::json::parse(packet, nullptr, false);
    if (!json.is_object()) {
        return;
    }
    const auto number = [&](const char* key, int most) {
        const auto at = json.find(key);
        const bool good = at != json.end() && at->is_number_integer() && *at >= 1 && *at <= most;
        return good ? at->get<int>() : 0;
    };
    constexpr int most_signal = 64;
    constexpr int most_size = 0xffff;
    if (const int signal = number("signal", most_signal)) {
        owner_->mux().message(stream_, wire::encode(wire::StreamMessage{wire::Signal{signal}}));
    } else if (const int rows = number("rows", most_size)) {
        const wire::Terminal size{static_cast<std::uint16_t>(rows),
                                  static_cast<std::uint16_t>(number("columns", most_size))};
        owner_->mux().message(stream_, wire::encode(wire::StreamMessage{wire::WindowSize{size}}));
    }
    owner_->flush();
}

void StreamBridge::on_data(wire::StreamId stream, wire::ByteView data)
{
    const auto& sink = stream == secondary_ && secondary_ != 0 ? error_ : output_;
    if (sink) {
        sink->write(data);
    } else {
        owner_->mux().consume(stream, data.size());
    }
}

void StreamBridge::on_eof(wire::StreamId stream)
{
    const bool is_error = stream == secondary_ && secondary_ != 0;
    const auto& sink = is_error ? error_ : output_;
    auto& drained = is_error ? error_drained_ : output_drained_;
    if (sink) {
        sink->finish([this, &drained] {
            drained = true;
            maybe_done();
        });
    }
}

void StreamBridge::on_message(const wire::StreamMessage& message)
{
    if (const auto* exited = std::get_if<wire::Exited>(&message)) {
        conclude(exited->signal ? nlohmann::json{{"signal", *exited->signal}}.dump()
                                : nlohmann::json{{"exit", exited->code.value_or(0)}}.dump());
    } else if (const auto* copied = std::get_if<wire::CopyDone>(&message)) {
        const auto failed =
            nlohmann::json{{"error", error_info(ErrorCode::Failed).dbus_name}, {"message", copied->error}};
        const auto whole = nlohmann::json{{"exit", 0}, {"entries", copied->entries}, {"bytes", copied->bytes}};
        conclude((copied->error.empty() ? whole : failed)
                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));  // a path need not be UTF-8
    }
}

void StreamBridge::conclude(std::string packet)
{
    if (!concluded_) {
        concluded_ = true;
        last_packet_ = std::move(packet);
        input_source_.reset();
        input_ended_ = true;
        end_outputs();
    }
}

void StreamBridge::end_outputs()
{
    on_eof(stream_);
    if (error_) {
        on_eof(secondary_);
    }
    maybe_done();
}

void StreamBridge::on_closed(wire::CloseReason reason)
{
    if (!concluded_ && has_control_) {
        conclude(
            nlohmann::json{{"error", error_info(ErrorCode::Unavailable).dbus_name},
                           {"message", reason == wire::CloseReason::Reset ? "the guest gave the stream up"
                                                                          : "the guest ended the stream too early"}}
                .dump());
        return;
    }
    input_source_.reset();
    input_ended_ = true;
    end_outputs();
}

void StreamBridge::on_lost(std::chrono::milliseconds unread)
{
    if (done_) {
        return;
    }
    // Nobody else owns it from now on, and the client has yet to read what was received.
    self_ = shared_from_this();
    owner_ = nullptr;
    if (has_control_) {
        conclude(nlohmann::json{{"error", error_info(ErrorCode::Unavailable).dbus_name},
                                {"message", "the connection to the guest was lost"}}
                     .dump());
    } else if (!loop_->is_over()) {
        unread_ = loop_->after(unread, [this] { finish(); });
    }
    input_source_.reset();
    input_ended_ = true;
    end_outputs();
    if (loop_->is_over()) {
        finish();  // bangerd ends: what isn't written by now never will be
    }
}

void StreamBridge::maybe_done()
{
    // Without a control socket, a client that closed its socket and whose every byte was taken has left for good.
    const bool output_done = output_drained_ || (output_broken_ && !has_control_);
    if (done_ || !output_done || !error_drained_) {
        return;
    }
    if (has_control_ && !concluded_) {
        return;  // its outcome is still to come
    }
    if (!has_control_ && !input_ended_) {
        return;
    }
    if (!last_packet_.empty()) {
        ::send(control_.get(), last_packet_.data(), last_packet_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (owner_ != nullptr) {
        owner_->mux().close(stream_);
        owner_->flush();
    }
    finish();
}

void StreamBridge::finish()
{
    if (!done_) {
        done_ = true;
        input_source_.reset();
        control_source_.reset();
        if (owner_ != nullptr) {
            owner_->forget(stream_);
        }
        loop_->post([self = std::move(self_)] {});  // not now: this is being called
    }
}

}  // namespace banger::agent
