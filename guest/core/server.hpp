// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "guest/core/channel.hpp"
#include "guest/core/session.hpp"
#include "guest/core/task.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"

namespace banger::guest {

/// What differs between the roles of the program: a service of the image's init, or init itself.
class Role {
public:
    virtual ~Role() = default;
    virtual wire::Hello hello() = 0;
    virtual bool runs_commands() const = 0;
    /// The image's services are not all started yet.
    virtual bool starting() const = 0;
    virtual wire::ConfigureResult configure(const wire::Configure& configure) = 0;
    virtual void shut_down(wire::ShutdownKind kind) = 0;
    virtual wire::Ready ready() = 0;
};

/// Serves the host over one channel: streams by sessions, control requests by tasks or at once.
class Server : private wire::MuxHandler {
public:
    Server(Loop& loop, Role& role, std::unique_ptr<Channel> channel);

    /// Tells the host, if there is one, and writes it out as far as the channel takes it now. A goodbye is told each host that comes later, too.
    void announce(const wire::Control& event);
    /// Tells sessions to end; `done` runs once they have, or at `limit`.
    void wind_down(std::chrono::milliseconds limit, std::function<void()> done);
    bool synced() const noexcept { return mux_.synced(); }
    /// Runs once at the next Sync, or now if a host is there.
    void when_synced(std::function<void()> task);

private:
    void on_synced(wire::ByteView hello) override;
    void on_lost(std::string_view why) override;
    void on_control(wire::ByteView payload) override;
    void on_open(wire::StreamId stream, wire::ByteView payload) override;
    void on_opened(wire::StreamId, wire::ByteView) override {}
    void on_refused(wire::StreamId, wire::ByteView) override {}
    void on_data(wire::StreamId stream, wire::ByteView data) override;
    void on_eof(wire::StreamId stream) override;
    void on_writable(wire::StreamId stream) override;
    void on_message(wire::StreamId stream, wire::ByteView payload) override;
    void on_closed(wire::StreamId stream, wire::CloseReason reason) override;

    std::shared_ptr<Session> open_session(wire::StreamId stream, const wire::OpenRequest& request);
    std::shared_ptr<Session> find(wire::StreamId stream) const;
    void serve(const wire::Request& request);
    void answer(std::uint64_t id, const wire::ResponseBody& body);
    void answer_later(std::uint64_t id, std::function<wire::ResponseBody()> work);
    void exchange();
    void flush();
    void sweep();

    Loop& loop_;
    Role& role_;
    std::unique_ptr<Channel> channel_;
    wire::Mux mux_;
    std::map<wire::StreamId, std::shared_ptr<Session>> by_stream_;
    std::set<std::shared_ptr<Session>> sessions_;  ///< with those whose streams are gone
    std::map<std::uint64_t, std::unique_ptr<Task>> tasks_;
    std::uint64_t next_task_{1};
    std::uint64_t connection_{0};  ///< counts syncs: an answer goes only to the host that asked
    bool input_waits_{false};      ///< bytes may be in the channel that we did not want to read yet
    std::unique_ptr<std::uint8_t[]> buffer_;
    std::function<void()> on_sync_;
    std::optional<wire::Control> goodbye_;
    std::function<void()> wound_down_;
    Loop::Timer wind_down_limit_;
};

}  // namespace banger::guest
