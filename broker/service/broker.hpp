// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/caretaker.hpp"
#include "broker/core/reconciler.hpp"
#include "broker/service/broker_object.hpp"

namespace banger::broker {

/// The life of the broker on the bus: reconciles, serves, looks after what runs, and leaves when nothing needs it. Loop thread.
class Broker {
public:
    struct Parts {
        sdbus::IConnection& connection;
        BrokerObject::Parts object;
        Journal& journal;
        Caretaker& caretaker;
        Reconciler& reconciler;
        NameOf name_of;
        std::chrono::milliseconds idle_limit{30'000};  ///< after the last call, with no sandbox running
    };
    explicit Broker(Parts parts);
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// Reconciles, then takes the bus name. What can't be put right is logged, and no reason not to serve: stopping and destroying must go.
    void start();
    /// A call has ended.
    void call_ended();
    /// nftables or the routes have changed: puts right what is ours.
    void kernel_changed();
    /// The user database has changed: what is another user's now is put away, before that one can open its disk.
    void users_changed();

private:
    void reconcile(std::function<void(bool)> then);
    void serve();
    void watch();
    void give_memory_back();
    void mend_network();
    void look_after();
    void after_round(const Caretaker::Round& round, const std::vector<SandboxView>& views);
    void look_at_user(uid_t uid);
    void ask_whether_idle();
    void leave();
    void end_or_stay();
    void stay();
    void reconcile_tomorrow();
    /// First: a round of care, and rules that somebody has taken away, which must not come late.
    enum class Turn { First, Last };
    template <typename Job, typename Then>
    void on_lane(Turn turn, Job job, Then then);

    Parts parts_;
    EventLoop* loop_;
    std::optional<BrokerObject> object_;
    EventLoop::Source terminate_;
    EventLoop::Source idle_timer_;
    EventLoop::Source care_timer_;
    EventLoop::Source mend_timer_;
    EventLoop::Source daily_timer_;
    EventLoop::Source trim_timer_;
    EventLoop::Source users_timer_;
    EventLoop::Source no_prompt_timer_;
    bool care_due_{false};
    bool users_due_{false};
    bool trim_due_{false};
    bool leaving_{false};
    bool leaving_idly_{false};
    bool told_to_leave_{false};
    bool mend_due_{false};
    bool mending_{true};  ///< a look is on its way or just over; at first the reconciling is
};

}  // namespace banger::broker
