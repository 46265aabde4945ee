// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/arguments.hpp"

#include <getopt.h>

#include <cstdio>
#include <cstdlib>

namespace banger::broker {

const char* const usage = R"(banger-broker: the root operations of banger, started by the system bus
  --check                 says what works on this host and what doesn't
  --reconcile             puts right what a crash or a deleted user has left, unless a broker runs, which does so itself
  --reconcile --dry-run   only says what that would be
  --config FILE           default /etc/banger/broker.toml
  --state FOLDER          default /var/lib/banger-broker
  --runtime FOLDER        default /run/banger-broker
  --idle-limit SECONDS    default 30
  --version
)";

std::optional<Arguments> parse_arguments(int argc, char** argv)
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

}  // namespace banger::broker
