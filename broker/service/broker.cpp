// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/broker.hpp"

#include <malloc.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "broker/service/log.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::broker {
namespace {

constexpr auto bus_name = "dev.banger.Broker1";
/// What the bus has taken for us while we gave the name back is here by then: the daemon sends in order.
constexpr std::chrono::milliseconds drain_time{100};
/// For polkit's answers to calls that came as we left; a person may take longer, and must not keep us.
constexpr std::chrono::milliseconds last_calls_time{2'000};
constexpr std::chrono::milliseconds trim_delay{1'000};
constexpr std::chrono::milliseconds mend_pause{100};
constexpr std::chrono::milliseconds users_delay{100};
constexpr std::chrono::milliseconds a_day{24 * 60 * 60 * 1000};

}  // namespace

Broker::Broker(Parts parts) : parts_{std::move(parts)}, loop_{&parts_.object.loop}
{
    terminate_ = loop_->on_signal(SIGTERM, [this] {
        told_to_leave_ = true;
        if (leaving_) {  // systemd tells it because the name is gone: what was on its way then is done still
            no_prompt_timer_ = loop_->after(last_calls_time, [this] { parts_.object.gate.ask_no_more(); });
        } else {
            parts_.object.gate.ask_no_more();
        }
        leave();
    });
}

/// `then` gets the job's value on the loop; a failure is logged and ends there.
template <typename Job, typename Then>
void Broker::on_lane(Turn turn, Job job, Then then)
{
    auto work = [this, job = std::move(job), then = std::move(then)] {
        try {
            auto value = job();
            loop_->post([then, value = std::move(value)] { then(value); });
        } catch (...) {
            loop_->post([detail = failure_of(std::current_exception()).detail] { log::error(detail); });
        }
    };
    auto& lane = parts_.object.lane;
    if (!(turn == Turn::First ? lane.submit_first(std::move(work)) : lane.submit(std::move(work)))) {
        log::error("the lane is full");
    }
}

void Broker::start()
{
    reconcile([this](bool read) {
        if (read) {
            serve();
            mend_network();  // what has changed meanwhile
        } else {
            loop_->quit(EXIT_FAILURE);  // to a broker that knows of no sandbox, all would be strays
        }
    });
}

/// `then` learns whether the journal could be read; nothing is done where it could not.
void Broker::reconcile(std::function<void(bool)> then)
{
    struct Report {
        bool read{true};
        std::vector<std::string> left_alone;
        std::vector<Repair> repairs;
        std::vector<std::string> problems;
    };
    on_lane(
        Turn::Last,
        [this] {
            Report report;
            if (parts_.object.sandboxes.any_cloning()) {
                return report;  // what is half made is in good hands; tomorrow is another day
            }
            try {
                for (const auto& record : parts_.journal.load()) {
                    report.left_alone.push_back("left alone, as it can't be read: " + record);
                }
            } catch (const std::exception& problem) {
                report.read = false;
                report.problems.emplace_back(problem.what());
                return report;
            }
            try {
                report.repairs = parts_.reconciler.plan();
                for (const auto& half : parts_.reconciler.left_alone()) {
                    report.left_alone.push_back("left alone: " + half);
                }
            } catch (const Error& problem) {
                report.problems.emplace_back(problem.what());
            }
            for (auto& problem : parts_.reconciler.apply(report.repairs)) {
                report.problems.push_back(std::move(problem));
            }
            return report;
        },
        [then = std::move(then)](const Report& report) {
            for (const auto& text : report.left_alone) {
                log::error(log::Event::NotReconciled, text);
            }
            for (const auto& repair : report.repairs) {
                log::warn(log::Event::Reconciled, "reconciled: " + repair.to_string());
            }
            for (const auto& problem : report.problems) {
                if (report.read) {
                    log::error(log::Event::NotReconciled, "can't reconcile: " + problem);
                } else {
                    log::error("can't reconcile: " + problem);  // which ends us
                }
            }
            then(report.read);
        });
}

void Broker::serve()
{
    try {
        object_.emplace(parts_.connection, parts_.object);
        bus::request_name(parts_.connection, bus_name);
    } catch (const std::exception& problem) {
        log::error(std::string{"can't serve: "} + problem.what());
        loop_->quit(EXIT_FAILURE);
        return;
    }
    log::info(log::Event::Serving, "serving");
    watch();
    reconcile_tomorrow();
}

/// Users may have gone, and what those of yesterday have left goes.
void Broker::reconcile_tomorrow()
{
    daily_timer_ = loop_->after(a_day, [this] {
        reconcile([](bool) {});
        reconcile_tomorrow();
    });
}

/// From now on, as something may run.
void Broker::watch()
{
    idle_timer_ = loop_->after(std::chrono::duration_cast<EventLoop::Milliseconds>(parts_.idle_limit),
                               [this] { ask_whether_idle(); });
    if (!care_due_) {
        care_due_ = true;
        care_timer_ = loop_->after(std::chrono::milliseconds{0}, [this] { look_after(); });
    }
    give_memory_back();
}

/// Soon, and once for all that happens until then. What many sandboxes or a look at the firewall leave is holes, which malloc() itself gives back
/// to nobody.
void Broker::give_memory_back()
{
    if (!trim_due_) {
        trim_due_ = true;
        trim_timer_ = loop_->after(trim_delay, [this] {
            trim_due_ = false;
            ::malloc_trim(0);
        });
    }
}

void Broker::call_ended()
{
    if (!leaving_) {
        watch();
    }
}

void Broker::look_after()
{
    using Result = std::pair<Caretaker::Round, std::vector<SandboxView>>;
    on_lane(
        Turn::First,
        [this] {
            auto& sandboxes = parts_.object.sandboxes;
            Result result{parts_.caretaker.look_after(sandboxes.being_cloned()), {}};
            for (const auto& key : result.first.changed) {
                try {
                    if (const auto* record = parts_.journal.find(key)) {
                        result.second.push_back(sandboxes.view_of(*record));
                    }
                } catch (const Error& problem) {  // no reason to end the rounds
                    result.first.problems.push_back("sandbox " + key.str() + ": " + problem.what());
                }
            }
            return result;
        },
        [this](const Result& result) { after_round(result.first, result.second); });
}

void Broker::after_round(const Caretaker::Round& round, const std::vector<SandboxView>& views)
{
    for (const auto& problem : round.problems) {
        log::warn(log::Event::DiskTrouble, problem);
    }
    for (const auto& view : views) {
        object_->tell_owner(view);
    }
    care_due_ = round.next.has_value();
    if (round.next) {
        care_timer_ = loop_->after(*round.next, [this] { look_after(); });
    }
}

void Broker::kernel_changed()
{
    mend_due_ = true;
    if (!mending_) {
        mend_network();
    }
}

/// One look for all that has changed, and a pause after it: somebody may change rules one by one, and calls have their turn, too.
void Broker::mend_network()
{
    mending_ = std::exchange(mend_due_, false);
    if (!mending_) {
        return;
    }
    on_lane(
        Turn::First,
        [this]() -> std::vector<std::string> {
            try {
                return parts_.reconciler.mend_network();
            } catch (...) {  // no reason never to look again
                return {failure_of(std::current_exception()).detail};
            }
        },
        [this](const std::vector<std::string>& news) {
            for (const auto& text : news) {
                log::warn(log::Event::NetworkMended, text);
            }
            give_memory_back();
            mend_timer_ = loop_->after(mend_pause, [this] { mend_network(); });
        });
}

/// Anybody may have /etc/passwd written (chfn(1)), as often as they like: one look for all of that.
void Broker::users_changed()
{
    if (std::exchange(users_due_, true)) {
        return;
    }
    users_timer_ = loop_->after(users_delay, [this] {
        users_due_ = false;
        on_lane(
            Turn::Last, [this] { return parts_.object.sandboxes.uids(); },
            [this](const std::set<uid_t>& uids) {
                for (const auto uid : uids) {
                    look_at_user(uid);
                }
            });
    });
}

/// One who is gone leaves nobody who could have anything, and may be between two lines of a file that is being written: that is for the next
/// reconciling.
void Broker::look_at_user(uid_t uid)
{
    const auto told = [this, uid](const std::optional<std::string>& name) {
        if (!name || name->empty()) {
            return;
        }
        on_lane(
            Turn::Last, [this, uid, user = *name] { return parts_.object.sandboxes.know_user(uid, user); },
            [this](const std::vector<std::string>& news) {
                for (const auto& text : news) {
                    log::warn(log::Event::Reconciled, text);
                }
                call_ended();  // nothing may run any more
            });
    };
    try {
        parts_.name_of(uid, told);
    } catch (const Error& problem) {
        log::error(std::string{"can't look whose uid "} + std::to_string(uid) + " is: " + problem.what());
    }
}

void Broker::ask_whether_idle()
{
    if (parts_.object.gate.in_flight() > 0) {
        return;  // its end starts the time anew
    }
    parts_.object.gate.calls_since_asked();
    on_lane(
        Turn::Last, [this] { return parts_.object.sandboxes.any_running(); },
        [this](bool any) {
            if (!any && parts_.object.gate.in_flight() == 0 && parts_.object.gate.calls_since_asked() == 0) {
                leave();
            }
        });
}

/// Gives the name back first, and answers what is on its way to us; from then on a call starts another broker.
void Broker::leave()
{
    if (std::exchange(leaving_, true)) {
        return;
    }
    leaving_idly_ = !told_to_leave_;
    bus::release_name(parts_.connection, bus_name);
    parts_.object.gate.calls_since_asked();
    idle_timer_ = loop_->after(drain_time, [this] { end_or_stay(); });
}

void Broker::end_or_stay()
{
    if (parts_.object.gate.in_flight() > 0 || parts_.object.gate.calls_since_asked() > 0) {
        idle_timer_ = loop_->after(drain_time, [this] { end_or_stay(); });
        return;
    }
    if (!leaving_idly_) {
        log::info(log::Event::Leaving, "told to leave; sandboxes stay");
        loop_->quit(0);
        return;
    }
    on_lane(
        Turn::Last, [this] { return parts_.object.sandboxes.any_running(); },
        [this](bool any) {
            if (any) {
                stay();
            } else {
                log::info(log::Event::Leaving, "idle; leaving");
                loop_->quit(0);
            }
        });
}

/// A sandbox was started while we were leaving. Under systemd that is too late: a service of Type=dbus whose name is gone gets SIGTERM, and the
/// next one is started if it fails then (systemd, service.c).
void Broker::stay()
{
    if (told_to_leave_) {
        log::info(log::Event::Leaving, "leaving a sandbox that was started meanwhile to the next broker");
        loop_->quit(EXIT_FAILURE);
        return;
    }
    try {
        bus::request_name(parts_.connection, bus_name);
        leaving_ = false;
        watch();
    } catch (const Error& problem) {
        log::info(log::Event::Leaving, std::string{"leaving to another broker: "} + problem.what());
        loop_->quit(0);
    }
}

}  // namespace banger::broker
