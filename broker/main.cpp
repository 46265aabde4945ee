// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "broker/service/broker.hpp"
#include "broker/service/log.hpp"
#include "broker/system/bus_callers.hpp"
#include "broker/system/cow_files.hpp"
#include "broker/system/file_facts.hpp"
#include "broker/system/harden.hpp"
#include "broker/system/host_check.hpp"
#include "broker/system/kernel_watch.hpp"
#include "broker/system/libdevmapper.hpp"
#include "broker/system/loop_clock.hpp"
#include "broker/system/loop_ioctl.hpp"
#include "broker/system/nftables.hpp"
#include "broker/system/polkit_authority.hpp"
#include "broker/system/posix_users.hpp"
#include "broker/system/proc_forwarding.hpp"
#include "broker/system/record_files.hpp"
#include "broker/system/resolved_names.hpp"
#include "broker/system/socket_facts.hpp"
#include "broker/system/state_lock.hpp"
#include "broker/system/tun_ioctl.hpp"
#include "dbus/compat/bus.hpp"

namespace {

using namespace banger;
using namespace banger::broker;

enum class Task { Serve, Check, Reconcile, PlanOnly };

struct Arguments {
    Task task{Task::Serve};
    std::string state{"/var/lib/banger-broker"};
    std::string runtime{"/run/banger-broker"};
    std::string config{"/etc/banger/broker.toml"};
    std::chrono::seconds idle_limit{30};
};

constexpr auto usage = R"(banger-broker: the root operations of banger, started by the system bus
  --check                 says what works on this host and what doesn't
  --reconcile             puts right what a crash or a deleted user has left, unless a broker runs, which does so itself
  --reconcile --dry-run   only says what that would be
  --config FILE           default /etc/banger/broker.toml
  --state FOLDER          default /var/lib/banger-broker
  --runtime FOLDER        default /run/banger-broker
  --idle-limit SECONDS    default 30
  --version
)";

BrokerConfig load_config(const std::string& file)
{
    std::ifstream stream{file, std::ios::binary};
    if (!stream) {
        return {};
    }
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    return parse_broker_config(text, file);
}

/// Everything that sandboxes are made of, on this machine; the one place that names concrete classes.
struct Machine {
    Machine(const Arguments& arguments, const BrokerConfig& settings)
        : config{settings},
          records{arguments.state + "/sandboxes"},
          files{arguments.state + "/disks"},
          loops{arguments.runtime + "/loops"},
          firewall{},
          forwarding{arguments.state + "/forwarding",
                     [this](const std::vector<std::string>& uplinks) { firewall.set_uplinks(uplinks); }},
          journal{records},
          quota{config, journal},
          assembly{config, journal, kernel()},
          sandboxes{{config, journal, quota, assembly, users}, kernel()},
          caretaker{{journal, quota, mapper, loops, files}},
          reconciler{{journal, quota, assembly, users}, kernel()}
    {
    }

    Kernel kernel() { return {mapper, loops, files, taps, firewall, forwarding}; }

    BrokerConfig config;
    RecordFiles records;
    LibDevmapper mapper;
    CowFolder files;
    LoopIoctl loops;
    TunTaps taps;
    Nftables firewall;
    ProcForwarding forwarding;
    PosixUsers users;
    Journal journal;
    QuotaBook quota;
    Assembly assembly;
    Sandboxes sandboxes;
    Caretaker caretaker;
    Reconciler reconciler;
};

int serve(const Arguments& arguments, const BrokerConfig& config)
{
    const auto lock = lock_state_folder(arguments.state, LockWait::AWhile);
    EventLoop loop;
    const auto connection = bus::open_system_bus();
    const bus::LoopAttachment attachment{*connection, loop, [&loop] {
                                             log::warn("the bus is gone; leaving, sandboxes stay");
                                             loop.quit(0);
                                         }};
    Machine machine{arguments, config};
    BusCallers callers{*connection};
    PolkitAuthority authority{*connection};
    ResolvedNames names{*connection};
    LoopClock clock{loop};
    std::optional<Broker> broker;
    Gate gate{{.callers = callers,
               .authority = authority,
               .clock = clock,
               .config = config,
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
                                            .file_facts = facts_of,
                                            .socket_facts = socket_facts},
                                 .journal = machine.journal,
                                 .caretaker = machine.caretaker,
                                 .reconciler = machine.reconciler,
                                 .idle_limit = arguments.idle_limit});
    const KernelWatch watch{loop, [&broker] { broker->kernel_changed(); }};
    broker->start();
    return loop.run();
}

int reconcile(const Arguments& arguments, const BrokerConfig& config)
{
    const auto lock = lock_state_folder(arguments.state, LockWait::No);
    if (!lock) {
        std::puts("a broker runs and does it itself");
        return EXIT_SUCCESS;
    }
    Machine machine{arguments, config};
    for (const auto& problem : machine.journal.load()) {
        std::printf("left alone, as it can't be read: %s\n", problem.c_str());
    }
    const auto repairs = machine.reconciler.plan();
    for (const auto& repair : repairs) {
        std::puts(repair.to_string().c_str());
    }
    if (arguments.task == Task::PlanOnly) {
        return EXIT_SUCCESS;
    }
    const auto problems = machine.reconciler.apply(repairs);
    for (const auto& problem : problems) {
        std::printf("failed: %s\n", problem.c_str());
    }
    return problems.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

int check(const Arguments& arguments)
{
    bool all = true;
    std::optional<BrokerConfig> config;
    try {
        config = load_config(arguments.config);
        std::printf("ok       configuration: %s\n", arguments.config.c_str());
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

std::optional<Arguments> parse(int argc, char** argv)
{
    enum Option { Check = 1, Reconcile, DryRun, Config, State, Runtime, IdleLimit, Version, Help };
    const option options[]{{"check", no_argument, nullptr, Check},
                           {"reconcile", no_argument, nullptr, Reconcile},
                           {"dry-run", no_argument, nullptr, DryRun},
                           {"config", required_argument, nullptr, Config},
                           {"state", required_argument, nullptr, State},
                           {"runtime", required_argument, nullptr, Runtime},
                           {"idle-limit", required_argument, nullptr, IdleLimit},
                           {"version", no_argument, nullptr, Version},
                           {"help", no_argument, nullptr, Help},
                           {}};
    Arguments arguments;
    bool dry_run = false;
    for (int chosen = 0; (chosen = ::getopt_long(argc, argv, "h", options, nullptr)) != -1;) {
        switch (chosen) {
            case Check:
                arguments.task = Task::Check;
                break;
            case Reconcile:
                arguments.task = Task::Reconcile;
                break;
            case DryRun:
                dry_run = true;
                break;
            case Config:
                arguments.config = ::optarg;
                break;
            case State:
                arguments.state = ::optarg;
                break;
            case Runtime:
                arguments.runtime = ::optarg;
                break;
            case IdleLimit:
                arguments.idle_limit = std::chrono::seconds{std::atoi(::optarg)};
                break;
            case Version:
                std::puts("banger-broker " BANGER_VERSION);
                std::exit(EXIT_SUCCESS);
            case Help:
            case 'h':
                std::fputs(usage, stdout);
                std::exit(EXIT_SUCCESS);
            default:
                return std::nullopt;
        }
    }
    if (::optind != argc || arguments.idle_limit.count() <= 0 || (dry_run && arguments.task != Task::Reconcile)) {
        return std::nullopt;
    }
    if (dry_run) {
        arguments.task = Task::PlanOnly;
    }
    return arguments;
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
    const auto arguments = parse(argc, argv);
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
