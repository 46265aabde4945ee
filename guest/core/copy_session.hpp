// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "guest/core/fd_pump.hpp"
#include "guest/core/session.hpp"
#include "guest/core/task.hpp"

namespace banger::guest {

/// A copy in one direction: a task looks whether it can be, then one works on the tar stream; this moves its bytes.
class CopySession : public Session {
public:
    CopySession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::CopyIn& copy);
    CopySession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::CopyOut& copy);

    void on_data(wire::StreamId stream, wire::ByteView data) override;
    void on_eof(wire::StreamId stream) override;
    void on_writable(wire::StreamId stream) override;
    void on_message(const wire::StreamMessage& message) override;
    void on_gone(wire::StreamId stream, Gone how) override;
    bool finished() const override { return finished_; }

private:
    CopySession(Loop& loop, wire::Mux& mux, wire::StreamId stream);
    void look_at(const std::string& path, bool directory, std::function<void()> begin);
    void answer(const wire::Bytes& verdict, const std::function<void()>& begin);
    void begin(const wire::CopyIn& copy);
    void begin(const wire::CopyOut& copy);
    void task_done(const wire::Bytes& result);
    void finish_if_done();

    Loop& loop_;
    Link link_;
    UniqueFd fd_;
    FdSink sink_;
    FdSource source_;
    std::unique_ptr<Task> task_;
    std::optional<wire::CopyDone> result_;
    bool finished_{false};
};

}  // namespace banger::guest
