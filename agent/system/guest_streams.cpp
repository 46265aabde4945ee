// SPDX-License-Identifier: GPL-2.0-or-later
// The half of GuestSession that opens streams and hands their events to bridges.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "agent/system/guest_session.hpp"
#include "agent/system/unix_socket.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<std::string> texts_of(const std::vector<Bytes>& list)
{
    std::vector<std::string> texts;
    texts.reserve(list.size());
    for (const auto& bytes : list) {
        texts.push_back(text_of(bytes));
    }
    return texts;
}

void check_count(const GuestCommand& command)
{
    const auto count = command.argv.size() + command.env.size();
    if (count > wire::Exec::most_words) {
        throw Error{ErrorCode::InvalidArgument,
                    "the command has " + std::to_string(count) + " words and variables, and at most " +
                        std::to_string(wire::Exec::most_words) +
                        " go to a guest at once; xargs -n 1000 makes several commands of one"};
    }
}

Error error_of(const wire::Refused& refused, bool is_command)
{
    using enum wire::RefusedCode;
    switch (refused.code) {
        case NotFound:
            return {is_command ? ErrorCode::CommandNotFound : ErrorCode::NotFound, refused.text};
        case NotRunnable:
            return {ErrorCode::NotRunnable, refused.text};
        case BadDirectory:
        case BadUser:
        case BadRequest:
            return {ErrorCode::InvalidArgument, refused.text};
        case Limit:
            return {ErrorCode::Unavailable, refused.text};
        case Unreachable:
        case Failed:
            break;
    }
    return {ErrorCode::Failed, refused.text};
}

}  // namespace

Task<void> GuestSession::open_stream(wire::OpenRequest request, wire::StreamId secondary, StreamBridge::Ends ends,
                                     StreamBridge::OnHangUp on_hang_up)
{
    Rollback unused;
    unused.add([this, secondary] { mux_->drop_stream(secondary); });
    const auto stream = mux_->open(wire::encode(request), secondary);
    unused.commit();
    auto bridge = std::make_shared<StreamBridge>(*loop_, static_cast<StreamOwner&>(*this), stream, secondary,
                                                 std::move(ends), on_hang_up);
    Promise<Unit> opened;
    opening_[stream] = {bridge, opened, std::holds_alternative<wire::Exec>(request)};
    bridges_[stream] = std::move(bridge);
    if (secondary != 0) {
        primary_of_[secondary] = stream;
    }
    flush();
    Rollback give_up;  // a guest that never answers must not cost a stream and its descriptors for each try
    give_up.add([this, stream, opened, alive = std::weak_ptr{alive_}] {
        if (alive.lock() && opening_.contains(stream)) {
            const auto unused_bridge = opening_.at(stream).bridge;
            opening_.erase(stream);
            mux_->reset(stream);
            forget(stream);
            unused_bridge->on_lost(limits_.unread);
        }
    });
    const Error late{ErrorCode::TimedOut,
                     "the guest took too long to answer: it hangs or is frozen; banger vm logs shows its console"};
    co_await opened.wait(*loop_, limits_.request, late);
    give_up.commit();
}

Task<GuestCommandEnds> GuestSession::exec(GuestCommand command)
{
    check_count(command);
    co_await synced(limits_.call);
    wire::Exec request{.argv = texts_of(command.argv),
                       .environment = texts_of(command.env),
                       .directory = command.cwd.empty() ? std::nullopt : std::optional{text_of(command.cwd)},
                       .user = command.user,
                       .terminal = {},
                       .detached = command.detached,
                       .stop_signal = command.stop_signal};
    auto input = make_socket_pair(SOCK_STREAM);
    auto output = make_socket_pair(SOCK_STREAM);
    auto error = make_socket_pair(SOCK_STREAM);
    auto control = make_socket_pair(SOCK_SEQPACKET);
    StreamBridge::Ends ends{std::move(input.ours), std::move(output.ours), {}, std::move(control.ours)};
    wire::StreamId secondary = 0;
    if (command.terminal) {
        request.terminal = wire::Terminal{command.rows, command.columns};
        error.ours.reset();  // the client sees its end closed at once
    } else {
        secondary = mux_->add_stream();
        request.stderr_stream = secondary;
        ends.error = std::move(error.ours);
    }
    co_await open_stream(std::move(request), secondary, std::move(ends),
                         command.detached ? StreamBridge::OnHangUp::Leave : StreamBridge::OnHangUp::Reset);
    co_return GuestCommandEnds{std::move(input.theirs), std::move(output.theirs), std::move(error.theirs),
                               std::move(control.theirs)};
}

Task<UniqueFd> GuestSession::connect(std::string host, std::uint16_t port)
{
    auto pair = make_socket_pair(SOCK_STREAM);
    co_await synced(limits_.call);
    co_await lead(std::move(host), port, std::move(pair.ours));
    co_return std::move(pair.theirs);
}

Task<void> GuestSession::join(std::string host, std::uint16_t port, UniqueFd client)
{
    require_room_to_join();
    co_await synced(limits_.call);
    require_room_to_join();  // those that waited with it came first
    co_await lead(std::move(host), port, std::move(client));
}

void GuestSession::require_room_to_join() const
{
    const auto waiting = std::count_if(waiting_for_sync_.begin(), waiting_for_sync_.end(),
                                       [](const auto& one) { return one.is_awaited(); });
    const auto joined = count_.use_count() - 1;
    if (static_cast<std::size_t>(waiting + joined) >= limits_.joined) {
        throw Error{ErrorCode::Unavailable, std::to_string(limits_.joined) + " connections lead into the VM already"};
    }
}

Task<void> GuestSession::lead(std::string host, std::uint16_t port, UniqueFd client)
{
    wire::Connect request{.host = host.empty() ? "127.0.0.1" : std::move(host), .port = port};
    StreamBridge::Ends ends;
    ends.output = UniqueFd{::fcntl(client.get(), F_DUPFD_CLOEXEC, 0)};
    if (!ends.output) {
        throw errno_error("too many connections", errno);
    }
    ends.input = std::move(client);
    ends.count = count_;
    co_await open_stream(std::move(request), 0, std::move(ends), StreamBridge::OnHangUp::Reset);
}

Task<GuestCopyEnds> GuestSession::copy_in(Bytes directory)
{
    co_await synced(limits_.call);
    auto stream = make_socket_pair(SOCK_STREAM);
    auto control = make_socket_pair(SOCK_SEQPACKET);
    wire::OpenRequest request{wire::CopyIn{.directory = text_of(directory), .rename = {}}};
    StreamBridge::Ends ends{std::move(stream.ours), {}, {}, std::move(control.ours)};
    co_await open_stream(std::move(request), 0, std::move(ends), StreamBridge::OnHangUp::Reset);
    co_return GuestCopyEnds{std::move(stream.theirs), std::move(control.theirs)};
}

Task<GuestCopyEnds> GuestSession::copy_out(Bytes path)
{
    co_await synced(limits_.call);
    auto stream = make_socket_pair(SOCK_STREAM);
    auto control = make_socket_pair(SOCK_SEQPACKET);
    wire::OpenRequest request{wire::CopyOut{.path = text_of(path)}};
    StreamBridge::Ends ends{{}, std::move(stream.ours), {}, std::move(control.ours)};
    co_await open_stream(std::move(request), 0, std::move(ends), StreamBridge::OnHangUp::Reset);
    co_return GuestCopyEnds{std::move(stream.theirs), std::move(control.theirs)};
}

std::shared_ptr<StreamBridge> GuestSession::bridge_of(wire::StreamId stream) const
{
    const auto primary = primary_of_.find(stream);
    const auto at = bridges_.find(primary == primary_of_.end() ? stream : primary->second);
    return at == bridges_.end() ? nullptr : at->second;
}

void GuestSession::fail_opening(wire::StreamId stream)
{
    const auto at = opening_.find(stream);
    if (at != opening_.end()) {
        const Error error{ErrorCode::Unavailable, "the guest ended the stream without an answer"};
        loop_->post([opened = at->second.opened, error] { opened.fail(std::make_exception_ptr(error)); });
        opening_.erase(at);
    }
}

void GuestSession::forget(wire::StreamId stream)
{
    fail_opening(stream);
    std::erase_if(primary_of_, [&](const auto& entry) {
        if (entry.second == stream && mux_) {
            mux_->close(entry.first);
        }
        return entry.second == stream;
    });
    flush();
    const auto at = bridges_.find(stream);
    if (at != bridges_.end()) {
        // Kept until the loop turns: it is probably the caller.
        loop_->post([bridge = std::move(at->second)] {});
        bridges_.erase(at);
        last_use_ = std::chrono::steady_clock::now();
    }
}

void GuestSession::on_opened(wire::StreamId stream, wire::ByteView)
{
    const auto at = opening_.find(stream);
    if (at != opening_.end()) {
        at->second.bridge->start();
        loop_->post([opened = at->second.opened] { opened.set(Unit{}); });
        opening_.erase(at);
    }
}

void GuestSession::on_refused(wire::StreamId stream, wire::ByteView payload)
{
    const auto at = opening_.find(stream);
    if (at == opening_.end()) {
        return;
    }
    Error error{ErrorCode::CorruptData, "the guest's refusal can't be read"};
    try {
        auto refused = wire::decode_refused(payload);
        refused.text = to_utf8(refused.text);
        error = error_of(refused, at->second.is_command);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): said above
    }
    loop_->post([opened = at->second.opened, error] { opened.fail(std::make_exception_ptr(error)); });
    std::erase_if(primary_of_, [&](const auto& entry) { return entry.second == stream; });
    const auto bridge = at->second.bridge;
    opening_.erase(at);
    bridges_.erase(stream);
    bridge->on_lost(limits_.unread);  // now: it may outlive this session, which it calls
}

void GuestSession::on_data(wire::StreamId stream, wire::ByteView data)
{
    if (const auto bridge = bridge_of(stream)) {
        bridge->on_data(stream, data);
    } else {
        mux_->consume(stream, data.size());
    }
}

void GuestSession::on_eof(wire::StreamId stream)
{
    if (const auto bridge = bridge_of(stream)) {
        bridge->on_eof(stream);
    }
}

void GuestSession::on_writable(wire::StreamId stream)
{
    if (const auto bridge = bridge_of(stream)) {
        bridge->on_writable();
    }
}

void GuestSession::on_message(wire::StreamId stream, wire::ByteView payload)
{
    const auto bridge = bridge_of(stream);
    if (!bridge) {
        return;
    }
    try {
        bridge->on_message(wire::decode_message(payload));
    } catch (const Error&) {
        lost_ = true;
    }
}

void GuestSession::on_closed(wire::StreamId stream, wire::CloseReason reason)
{
    const auto bridge = bridge_of(stream);
    if (bridge && !primary_of_.contains(stream)) {
        fail_opening(stream);
        bridge->on_closed(reason);
    }
}

}  // namespace banger::agent
