// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/agent.hpp"
#include "cli/signals.hpp"
#include "cli/view/progress.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace banger::cli {

/// How an operation went.
struct Outcome {
    VariantMap result;
    std::optional<Error> error;
};

/// Watches operations until all have ended. Signals (INT, TERM, HUP, QUIT) cancel them; a second one stops the waiting.
class OperationWatch {
public:
    OperationWatch(Agent& agent, SignalInbox& signals, Progress& progress);
    OperationWatch(const OperationWatch&) = delete;
    OperationWatch& operator=(const OperationWatch&) = delete;
    ~OperationWatch();

    /// `target`: the name shown; "" for the operation's own.
    void add(std::string target, const std::string& path);
    /// In the order of add(). Throws Unavailable when bangerd goes away meanwhile.
    std::vector<Outcome> wait();
    /// The signal that cancelled them, if one did.
    std::optional<int> interrupted() const noexcept { return interrupted_; }

private:
    class Watched;
    void on_signal();
    void on_ended();
    void abandon();
    void rearm_tick();

    Agent* agent_;
    SignalInbox* signals_;
    Progress* progress_;
    EventLoop loop_;
    std::vector<std::unique_ptr<Watched>> watched_;
    std::size_t running_{0};
    std::optional<int> interrupted_;
    EventLoop::Source tick_;
};

}  // namespace banger::cli
