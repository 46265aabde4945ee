// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>

#include "common/error.hpp"
#include "guest/core/fd_pump.hpp"
#include "guest/core/session.hpp"
#include "guest/core/spawn.hpp"

namespace banger::guest {

/// One command. Its exit is announced when it has ended and its output is all sent: at the end of file of its pipes, or
/// (where a grandchild keeps them open) once they are empty `linger` after the end.
class ExecSession : public Session {
public:
    static constexpr std::chrono::milliseconds linger{1000};
    /// From the loss of the host to SIGHUP.
    static constexpr std::chrono::milliseconds grace{10'000};

    /// Starts the command; the open is answered once it runs, or can't.
    ExecSession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::Exec& exec);
    ~ExecSession() override;

    void on_data(wire::StreamId stream, wire::ByteView data) override;
    void on_eof(wire::StreamId stream) override;
    void on_writable(wire::StreamId stream) override;
    void on_message(const wire::StreamMessage& message) override;
    void on_gone(wire::StreamId stream, Gone how) override;
    void on_shutdown() override;
    bool finished() const override { return finished_; }

private:
    struct ChildEnds {
        UniqueFd input, output, error;
    };
    ChildEnds make_terminal(const wire::Terminal& size, const Account& account);
    ChildEnds make_pipes(bool separate_error);
    void start(const wire::Exec& exec);
    void refuse(const wire::Refused& refused);
    void give_up(const Error& error);
    void kill_unheard() noexcept;
    void come_to_run(const SpawnPlan& plan);
    void started();
    void ended(int status);
    void announce_if_done();
    void signal_group(int number) noexcept;
    void hang_up();
    void discard_output();

    Loop& loop_;
    Link link_;
    Link error_link_;
    bool detached_;
    int stop_signal_;  ///< 0: the usual one
    bool terminal_{false};
    pid_t pid_{-1};
    Spawning spawning_;  ///< with an outcome until that is known
    Loop::Watch outcome_watch_;
    std::optional<int> status_;
    bool finished_{false};
    UniqueFd input_;  ///< our ends; for a terminal input_ is the master and output_ a duplicate of it
    UniqueFd output_;
    UniqueFd error_;
    FdSink sink_;
    FdSource source_;
    FdSource error_source_;
    Loop::Timer timer_;
};

}  // namespace banger::guest
