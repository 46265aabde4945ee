// SPDX-License-Identifier: GPL-2.0-or-later
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "broker/arguments.hpp"
#include "broker/machine.hpp"
#include "broker/service/broker.hpp"
#include "broker/service/log.hpp"
#include "broker/service/user_names.hpp"
#include "broker/system/bus_callers.hpp"
#include "broker/system/config_file.hpp"
#include "broker/system/file_facts.hpp"
#include "broker/system/harden.hpp"
#include "broker/system/host_check.hpp"
#include "broker/system/kernel_watch.hpp"
#include "broker/system/loop_clock.hpp"
#include "broker/system/native_journal.hpp"
#include "broker/system/polkit_authority.hpp"
#include "broker/system/resolved_names.hpp"
#include "broker/system/socket_facts.hpp"
#include "broker/system/state_lock.hpp"
#include "broker/system/user_watch.hpp"
#include "dbus/compat/bus.hpp"

namespace {

using namespace banger;
using namespace banger::broker;

/// Each call looks whose its uid is, so without this watch a former user's disk is merely open to the next one until that.
std::optional<UserWatch> watch_users(EventLoop& loop, std::function<void()> changed)
{
    try {
        return std::optional<UserWatch>{std::in_place, loop, std::move(changed)};
    } catch (const Error& problem) {
        log::warn(problem.what());
        return std::nullopt;
    }
}

int serve(const Arguments& arguments, const BrokerConfig& config)
{
    const auto lock = lock_state_folder(arguments.state, LockWait::AWhile);
    if (is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"))) {
        log::send_events_to(send_to_journal);
    }
    EventLoop loop;
    const auto connection = bus::open_system_bus();
    const bus::LoopAttachment attachment{*connection, loop, [&loop] {
                                             log::warn("the bus is gone; leaving, sandboxes stay");
                                             loop.quit(0);
                                         }};
    Machine machine{arguments.state, arguments.runtime, config};
    BusCallers callers{*connection};
    PolkitAuthority authority{*connection};
    ResolvedNames names{*connection};
    Lane users;  // of its own: no sandbox waits for a directory service
    const auto name_of = user_names(loop, users, machine.users);
    LoopClock clock{loop};
    std::optional<Broker> broker;
    Gate gate{{.callers = callers,
               .authority = authority,
               .clock = clock,
               .config = config,
               .name_of = name_of,
               .audit = [&](const AuditLine& line) {
                   log::audit(line);
                   broker->call_ended();
               }}};
    Lane lane;
    Lane copies;
    broker.emplace(Broker::Parts{.connection = *connection,
                                 .object = {.loop = loop,
                                            .lane = lane,
                                            .copies = copies,
                                            .gate = gate,
                                            .sandboxes = machine.sandboxes,
                                            .files = machine.files,
                                            .names = names,
                                            .opening_facts = opening_of,
                                            .file_facts = facts_of,
                                            .socket_facts = socket_facts},
                                 .journal = machine.journal,
                                 .caretaker = machine.caretaker,
                                 .reconciler = machine.reconciler,
                                 .name_of = name_of,
                                 .idle_limit = arguments.idle_limit});
    const KernelWatch watch{loop, [&broker] { broker->kernel_changed(); }};
    const auto users_watch = watch_users(loop, [&broker] { broker->users_changed(); });
    broker->start();
    return loop.run();
}

/// For who runs it by hand. Of the timer's run journald has the events of a broker that comes up, as it is who looks that day.
class ReconcileReport {
public:
    explicit ReconcileReport(Task task)
        : is_of_journal_{task != Task::PlanOnly && is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"))}
    {
        if (is_of_journal_) {
            log::send_events_to(send_to_journal);
        }
    }

    void repair(const std::string& text) const
    {
        if (is_of_journal_) {
            log::warn(log::Event::Reconciled, "reconciled: " + text);
        } else {
            std::puts(text.c_str());
        }
    }
    void problem(const std::string& text) const
    {
        if (is_of_journal_) {
            log::error(log::Event::NotReconciled, text);
        } else {
            std::puts(text.c_str());
        }
    }

private:
    bool is_of_journal_;
};

int reconcile(const Arguments& arguments, const BrokerConfig& config)
{
    const ReconcileReport report{arguments.task};
    const auto lock = lock_state_folder(arguments.state, LockWait::No);
    if (!lock) {
        std::puts("a broker runs and does it itself");
        return EXIT_SUCCESS;
    }
    Machine machine{arguments.state, arguments.runtime, config};
    for (const auto& problem : machine.journal.load()) {
        report.problem("left alone, as it can't be read: " + problem);
    }
    const auto repairs = machine.reconciler.plan();
    for (const auto& half : machine.reconciler.left_alone()) {
        report.problem("left alone: " + half);
    }
    for (const auto& repair : repairs) {
        report.repair(repair.to_string());
    }
    if (arguments.task == Task::PlanOnly) {
        return EXIT_SUCCESS;
    }
    const auto problems = machine.reconciler.apply(repairs);
    for (const auto& problem : problems) {
        report.problem("failed: " + problem);
    }
    return problems.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

std::string words_of(const Quota& quota)
{
    return std::to_string(quota.sandboxes) + " sandboxes, " + quota.bytes.to_string() + ", " +
           std::to_string(quota.calls) + " calls at a time";
}

int check(const Arguments& arguments)
{
    bool all = true;
    std::optional<BrokerConfig> config;
    try {
        config = load_config(arguments.config);
        std::printf("ok       configuration: %s\n", arguments.config.c_str());
        std::printf("ok       quotas: a user %s; all %s\n", words_of(config->user).c_str(),
                    words_of(config->all).c_str());
    } catch (const Error& problem) {
        std::printf("missing  configuration: %s\n", problem.what());
        all = false;
    }
    for (const auto& finding : check_host(config ? config->pool : BrokerConfig{}.pool)) {
        std::printf("%s  %s: %s\n", finding.works ? "ok     " : "missing", finding.what.c_str(),
                    finding.detail.c_str());
        all = all && finding.works;
    }
    return all ? EXIT_SUCCESS : 4;
}

/// Before the first thread: signals go to any thread that doesn't block them, and only the event loop knows what to do.
void block_signals()
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

int run(const Arguments& arguments)
{
    if (arguments.task == Task::Check) {
        return check(arguments);
    }
    const auto config = load_config(arguments.config);
    log::set_level(config.log_level);
    return arguments.task == Task::Serve ? serve(arguments, config) : reconcile(arguments, config);
}

/// A transaction of libnftables takes megabytes for a moment. By itself malloc() would keep them: its limit for giving back grows with what
/// was once freed, and a second thread's heap is not trimmed at all.
void keep_memory_small()
{
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_TRIM_THRESHOLD, 1 << 20);
    ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

}  // namespace

int main(int argc, char** argv)
{
    constexpr int wrong_usage = 2;  // of options and of broker.toml: the unit doesn't try again after it
    const auto arguments = parse_arguments(argc, argv);
    if (!arguments) {
        std::fputs(usage, stderr);
        return wrong_usage;
    }
    keep_memory_small();
    try {
        if (arguments->task != Task::Check) {
            harden();
        }
        block_signals();
        return run(*arguments);
    } catch (const Error& failure) {
        log::error(failure.what());
        return failure.code() == ErrorCode::InvalidArgument ? wrong_usage : EXIT_FAILURE;
    } catch (const std::exception& failure) {
        log::error(failure.what());
        return EXIT_FAILURE;
    }
}
