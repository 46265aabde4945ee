// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/server.hpp"

#include <utility>

#include "common/error.hpp"
#include "guest/core/connect_session.hpp"
#include "guest/core/copy_session.hpp"
#include "guest/core/exec_session.hpp"
#include "guest/core/requests.hpp"

namespace banger::guest {
namespace {

constexpr std::size_t buffer_size = std::size_t{256} << 10U;
/// Reads from the channel before other descriptors get their turn.
constexpr int rounds_per_event = 16;
constexpr std::size_t max_tasks = 64;

}  // namespace

Server::Server(Loop& loop, Role& role, std::unique_ptr<Channel> channel)
    : loop_{loop},
      role_{role},
      channel_{std::move(channel)},
      mux_{*this},
      buffer_{std::make_unique_for_overwrite<std::uint8_t[]>(buffer_size)}
{
    mux_.set_hello(wire::encode(role_.hello()));
    loop_.after_each_round([this] {
        flush();
        sweep();
    });
    channel_->start({[this] { exchange(); }, [this] { mux_.disconnected(); }});
}

/// Moves bytes both ways until neither side has more.
void Server::exchange()
{
    for (int round = 0; round < rounds_per_event; ++round) {
        flush();
        input_waits_ = !mux_.wants_input();
        const std::size_t count = input_waits_ ? 0 : channel_->read({buffer_.get(), buffer_size});
        if (count == 0) {
            return;
        }
        mux_.feed({buffer_.get(), count});
    }
    loop_.defer([this] { exchange(); });
}

void Server::flush()
{
    while (mux_.wants_write()) {
        const auto count = channel_->write(mux_.output());
        if (count == 0) {
            break;
        }
        mux_.sent(count);
    }
    if (input_waits_ && mux_.wants_input()) {
        input_waits_ = false;
        loop_.defer([this] { exchange(); });
    }
}

/// Sessions end inside their own callbacks; here none of them is on the stack.
void Server::sweep()
{
    std::erase_if(by_stream_, [](const auto& entry) { return entry.second->finished(); });
    std::erase_if(sessions_, [](const auto& session) { return session->finished(); });
    std::erase_if(tasks_, [](const auto& task) { return task.second == nullptr; });
    if (wound_down_ && sessions_.empty() && !mux_.wants_write()) {
        wind_down_limit_.reset();
        loop_.defer(std::exchange(wound_down_, nullptr));
    }
}

void Server::announce(const wire::Control& event)
{
    if (std::holds_alternative<wire::Bye>(event)) {
        goodbye_ = event;
    }
    mux_.control(wire::encode(event));
    flush();
}

void Server::wind_down(std::chrono::milliseconds limit, std::function<void()> done)
{
    wound_down_ = std::move(done);
    for (const auto& session : sessions_) {
        session->on_shutdown();
    }
    wind_down_limit_ = loop_.after(limit, [this] {
        if (wound_down_) {
            std::exchange(wound_down_, nullptr)();
        }
    });
}

void Server::when_synced(std::function<void()> task)
{
    if (mux_.synced()) {
        task();
    } else {
        on_sync_ = std::move(task);
    }
}

void Server::on_synced(wire::ByteView /*hello*/)
{
    ++connection_;
    if (goodbye_) {
        announce(*goodbye_);
    }
    if (const auto task = std::exchange(on_sync_, nullptr)) {
        task();
    }
}

void Server::on_lost(std::string_view /*why*/)
{
    ++connection_;
    for (const auto& [stream, session] : std::exchange(by_stream_, {})) {
        session->on_gone(stream, Session::Gone::Lost);
    }
}

std::shared_ptr<Session> Server::find(wire::StreamId stream) const
{
    const auto entry = by_stream_.find(stream);
    return entry == by_stream_.end() ? nullptr : entry->second;
}

std::shared_ptr<Session> Server::open_session(wire::StreamId stream, const wire::OpenRequest& request)
{
    if (const auto* exec = std::get_if<wire::Exec>(&request)) {
        return std::make_shared<ExecSession>(loop_, mux_, stream, *exec);
    }
    if (const auto* connect = std::get_if<wire::Connect>(&request)) {
        return std::make_shared<ConnectSession>(loop_, mux_, stream, *connect, [this] { return role_.starting(); });
    }
    if (const auto* copy_in = std::get_if<wire::CopyIn>(&request)) {
        return std::make_shared<CopySession>(loop_, mux_, stream, *copy_in);
    }
    return std::make_shared<CopySession>(loop_, mux_, stream, std::get<wire::CopyOut>(request));
}

void Server::on_open(wire::StreamId stream, wire::ByteView payload)
{
    wire::Refused refused{wire::RefusedCode::Failed, "The guest is not able to run anything now"};
    try {
        if (role_.runs_commands() && !wound_down_) {
            const auto request = wire::decode_open(payload);
            const auto session = open_session(stream, request);
            sessions_.insert(session);
            by_stream_[stream] = session;
            const auto* exec = std::get_if<wire::Exec>(&request);
            if (exec != nullptr && exec->stderr_stream != 0 && !exec->terminal && !session->finished()) {
                by_stream_[exec->stderr_stream] = session;
            }
            return;
        }
    } catch (const Error& error) {
        const bool damaged = error.code() == ErrorCode::CorruptData;
        refused = {damaged ? wire::RefusedCode::BadRequest : wire::RefusedCode::Failed, error.what()};
    }
    mux_.refuse(stream, wire::encode(refused));
}

void Server::on_data(wire::StreamId stream, wire::ByteView data)
{
    if (const auto session = find(stream)) {
        session->on_data(stream, data);
    }
}

void Server::on_eof(wire::StreamId stream)
{
    if (const auto session = find(stream)) {
        session->on_eof(stream);
    }
}

void Server::on_writable(wire::StreamId stream)
{
    if (const auto session = find(stream)) {
        session->on_writable(stream);
    }
}

void Server::on_message(wire::StreamId stream, wire::ByteView payload)
{
    const auto session = find(stream);
    try {
        if (session) {
            session->on_message(wire::decode_message(payload));
        }
    } catch (const Error&) {
        mux_.reset(stream);
        by_stream_.erase(stream);
        session->on_gone(stream, Session::Gone::Closed);
    }
}

void Server::on_closed(wire::StreamId stream, wire::CloseReason /*reason*/)
{
    if (const auto session = find(stream)) {
        by_stream_.erase(stream);
        session->on_gone(stream, Session::Gone::Closed);
    }
}

void Server::on_control(wire::ByteView payload)
{
    std::optional<wire::Control> control;
    try {
        control = wire::decode_control(payload);
    } catch (const Error& error) {
        // Of a later version, or damaged. Where it has an id at least, the host needn't wait for its own limit.
        if (const auto id = wire::request_id(payload)) {
            answer(*id, wire::Failure{error.what()});
        }
        return;
    }
    if (const auto* request = std::get_if<wire::Request>(&*control)) {
        try {
            serve(*request);
        } catch (const Error& error) {
            answer(request->id, wire::Failure{error.what()});
        }
    }
}

void Server::answer(std::uint64_t id, const wire::ResponseBody& body)
{
    mux_.control(wire::encode(wire::Control{wire::Response{id, body}}));
}

void Server::answer_later(std::uint64_t id, std::function<wire::ResponseBody()> work)
{
    if (tasks_.size() >= max_tasks) {
        answer(id, wire::Failure{"The guest is busy with too many requests"});
        return;
    }
    const auto number = next_task_++;
    const auto in_child = [id, work = std::move(work)] {
        wire::ResponseBody body;
        try {
            body = work();
        } catch (const Error& error) {
            body = wire::Failure{error.what()};
        }
        return wire::encode(wire::Control{wire::Response{id, body}});
    };
    const auto done = [this, id, number, asked = connection_](const wire::Bytes& result) {
        if (asked == connection_ && result.empty()) {
            answer(id, wire::Failure{"The request failed in the guest"});
        } else if (asked == connection_) {
            mux_.control(result);
        }
        loop_.defer([this, number] { tasks_.erase(number); });
    };
    tasks_[number] = std::make_unique<Task>(loop_, std::vector<int>{}, in_child, done);
}

void Server::serve(const wire::Request& request)
{
    const auto& body = request.body;
    if (const auto* configure = std::get_if<wire::Configure>(&body)) {
        answer(request.id, role_.configure(*configure));
        mux_.set_hello(wire::encode(role_.hello()));
        announce(role_.ready());
    } else if (const auto* down = std::get_if<wire::Shutdown>(&body)) {
        answer(request.id, wire::Done{});
        flush();
        role_.shut_down(down->kind);
    } else if (is_quick(body)) {
        answer(request.id, answer_to(body));
    } else {
        answer_later(request.id, [body] { return answer_to(body); });
    }
}

}  // namespace banger::guest
