// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <ostream>
#include <vector>

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {

/// More than any operation has; a loop over steps that comes this far has gone wrong.
constexpr auto most_steps = 100;

/// Everything that changes the machine, for tests that let it fail or be killed at each of its steps.
struct Operation {
    const char* name;
    enum class Kind {
        Makes,  ///< what fails has changed nothing
        Takes,  ///< what fails is finished by the next try
    };
    Kind kind;
    void (*prepare)(BrokerWorld&);
    void (*act)(BrokerWorld&);
};

inline std::string word_of(const ::testing::TestParamInfo<Operation>& of) { return of.param.name; }
inline void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

/// Beside each of them bob's sandbox runs.
inline std::vector<Operation> operations()
{
    using enum Operation::Kind;
    using World = BrokerWorld&;
    constexpr auto nothing = [](World) {};
    constexpr auto stopped = [](World world) { world.create(world.box); };
    constexpr auto stopped_nat = [](World world) {
        world.create(world.box);
        world.sandboxes().set_nat(world.box, Nat::On);
    };
    constexpr auto running = [](World world) { world.run(world.box); };
    constexpr auto running_nat = [](World world) { world.run(world.box, Nat::On); };
    return {
        {"Create", Makes, nothing, [](World world) { world.create(world.box); }},
        {"CreateNetwork", Makes, nothing, [](World world) { world.create_network(world.box); }},
        {"Start", Makes, stopped, [](World world) { world.start(world.box); }},
        {"StartWithoutTap", Makes, stopped, [](World world) { world.start(world.box, Sandboxes::Tap::No); }},
        {"StartWithNat", Makes, stopped_nat, [](World world) { world.start(world.box); }},
        {"StartNetwork", Makes,
         [](World world) {
             world.create_network(world.box);
             world.sandboxes().set_nat(world.box, Nat::On);
         },
         [](World world) { world.sandboxes().start(world.box, std::nullopt, Sandboxes::Tap::Yes); }},
        {"Stop", Takes, running, [](World world) { world.sandboxes().stop(world.box); }},
        {"StopWithNat", Takes, running_nat, [](World world) { world.sandboxes().stop(world.box); }},
        {"DestroyStopped", Takes, stopped,
         [](World world) { world.sandboxes().destroy(world.box, Sandboxes::Force::No); }},
        {"DestroyRunning", Takes, running_nat,
         [](World world) { world.sandboxes().destroy(world.box, Sandboxes::Force::No); }},
        {"Grow", Makes, running, [](World world) { world.sandboxes().grow(world.box, 8 * gib); }},
        {"NatOn", Makes, running, [](World world) { world.sandboxes().set_nat(world.box, Nat::On); }},
        {"NatOff", Makes, running_nat, [](World world) { world.sandboxes().set_nat(world.box, Nat::Off); }},
        {"NatOnStopped", Makes, stopped, [](World world) { world.sandboxes().set_nat(world.box, Nat::On); }},
        {"SetName", Makes, running, [](World world) { world.sandboxes().set_name(world.box, "calm-otter"); }},
        {"CloneStopped", Makes, stopped, [](World world) { world.clone(world.box, world.second); }},
        {"CloneRunning", Makes, running, [](World world) { world.clone(world.box, world.second); }},
    };
}

}  // namespace banger::broker::test
