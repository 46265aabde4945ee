// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Agent that starts the VMs which are marked, when the machine or the user's session comes up, and of ManagerObject that is asked to.
#include <algorithm>
#include <deque>

#include "agent/service/agent.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/manager_object.hpp"

namespace banger::agent {

/// VMs to start, and how it went.
struct Agent::MarkedVms {
    std::deque<VmPtr> queue{};
    std::string started{};
    std::string failed{};
    std::optional<Error> first_failure{};

    static void add_name(std::string& names, const std::string& name) { names += (names.empty() ? "" : " ") + name; }
    bool want_user_network() const
    {
        return std::any_of(queue.begin(), queue.end(), [](const VmPtr& vm) {
            return vm->record.spec.network == NetworkChoice::Auto || vm->record.spec.network == NetworkChoice::User;
        });
    }
};

OperationPtr Agent::start_marked()
{
    const auto marked = std::make_shared<MarkedVms>();
    for (const auto& vm : vms_->list()) {
        if (vm->record.spec.autostart == Autostart::On && !vm->running) {
            marked->queue.push_back(vm);
        }
    }
    auto operation = operations_.add("start-marked", "VMs");
    operations_.run(operation, start_all_marked(marked, operation));
    return operation;
}

/// Some at a time: a machine that comes up has other things to do, too.
Task<void> Agent::start_all_marked(std::shared_ptr<MarkedVms> marked, OperationPtr operation)
{
    constexpr std::size_t at_once = 3;
    if (marked->want_user_network()) {
        co_await wait_for_network(operation);
    }
    std::vector<Promise<Unit>> turns;
    for (std::size_t i = 0; i < at_once; ++i) {
        const Promise<Unit> over;
        spawn(start_some_marked(marked, operation), [over](std::exception_ptr) { over.set(Unit{}); });
        turns.push_back(over);
    }
    for (const auto& turn : turns) {
        co_await turn.wait();
    }
    operation->check_cancelled();
    operation->result() = {{"started", marked->started}};
    if (marked->first_failure) {
        throw Error{marked->first_failure->code(), marked->failed + " did not start: " + marked->first_failure->what()};
    }
}

/// Who lingers is started with the machine, which may get its address seconds later; a VM that starts without a network stays without.
Task<void> Agent::wait_for_network(OperationPtr operation)
{
    constexpr std::chrono::minutes limit{1};  // a host without a network has VMs, too
    const Promise<Unit> over;
    operation->set_stage("looking for the host's network");
    operation->on_cancel([over] { over.set(Unit{}); });
    co_await ports_.wait_for_route(limit, over);
    operation->on_cancel({});
}

/// Each start is an operation of its own, which may be watched and cancelled.
Task<void> Agent::start_some_marked(std::shared_ptr<MarkedVms> marked, OperationPtr operation)
{
    while (!marked->queue.empty() && !operation->stop_token().stop_requested()) {
        const auto vm = marked->queue.front();
        marked->queue.pop_front();
        operation->set_stage("starting " + vm->name());
        const auto one = operations_.add("start", vm->name());
        const Promise<Unit> over;
        one->when_ended([this, over] { ports_.loop.post([over] { over.set(Unit{}); }); });
        operations_.run(one, vms_->start(vm, one, default_ready_limit));
        co_await over.wait();
        if (const auto& problem = one->error()) {
            MarkedVms::add_name(marked->failed, vm->name());
            marked->first_failure = marked->first_failure.value_or(*problem);
        } else {
            MarkedVms::add_name(marked->started, vm->name());
        }
    }
}

sdbus::ObjectPath ManagerObject::StartMarked()
{
    note_call();
    return answer("StartMarked", [&] { return OperationObject::path_of(agent_->start_marked()->id()); });
}

}  // namespace banger::agent
