// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/core/caretaker.hpp"
#include "broker/core/reconciler.hpp"
#include "broker/core/sandboxes.hpp"
#include "tests/fakes/broker_kernel.hpp"

namespace banger::broker::test {

/// One broker's life over a FakeKernel: what main() wires. Another one over the same kernel is a restart.
struct BrokerMachine {
    explicit BrokerMachine(FakeKernel& of, BrokerConfig settings = {})
        : kernel{of},
          config{std::move(settings)},
          journal{of.records()},
          quota{config, journal},
          assembly{config, journal, of.ports()},
          sandboxes{{config, journal, quota, assembly, [&of] { return of.now; }}, of.ports()},
          caretaker{{journal, quota, of.ports().mapper, of.ports().loops, of.ports().files}},
          reconciler{{journal, quota, assembly, of.users(), [&of] { return of.now; }}, of.ports()}
    {
    }

    /// What a broker does before it serves; gives what could not be done.
    std::vector<std::string> start()
    {
        auto problems = journal.load();
        for (auto& problem : reconciler.apply(reconciler.plan())) {
            problems.push_back(std::move(problem));
        }
        return problems;
    }

    FakeKernel& kernel;
    BrokerConfig config;
    Journal journal;
    QuotaBook quota;
    Assembly assembly;
    Sandboxes sandboxes;
    Caretaker caretaker;
    Reconciler reconciler;
};

}  // namespace banger::broker::test
