// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/core/vm/vm_sandboxes.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {

/// A bangerd in a world with a broker.
class VmSandboxesTest : public ::testing::Test {
protected:
    VmSandboxesTest() { world.broker.there = true; }
    Bangerd& restart()
    {
        bangerd.reset();
        bangerd = std::make_unique<Bangerd>(world);
        const auto outcome = bangerd->recover();
        EXPECT_TRUE(outcome.ok()) << outcome.what();
        bangerd->settle();
        return *bangerd;
    }
    VmRequest with(const std::function<void(VmRequest&)>& change)
    {
        auto request = bangerd->request("otter");
        change(request);
        return request;
    }
    VmRequest nat()
    {
        return with([](VmRequest& request) {
            request.network = NetworkChoice::Tap;
            request.nat = Nat::On;
        });
    }
    VmRequest with_storage(StorageChoice storage)
    {
        return with([storage](VmRequest& request) { request.storage = storage; });
    }
    Outcome set(const VmChange& change)
    {
        try {
            bangerd->manager->check_change(bangerd->vm("otter"), change);
        } catch (const Error& error) {
            return {true, error};
        }
        return bangerd->run(bangerd->manager->change(bangerd->vm("otter"), bangerd->operation("set"), change));
    }
    const VmRecord& record() { return bangerd->vm("otter")->record; }
    std::string warning() { return warning_of(*bangerd->vm("otter")); }
    /// The calls to the broker, without the ids.
    std::vector<std::string> calls()
    {
        std::vector<std::string> calls;
        for (const auto& call : std::exchange(world.broker_calls, {})) {
            const auto end = call.find(' ');
            const auto more = end == std::string::npos ? end : call.find(' ', end + 1);
            calls.push_back(call.substr(0, end) + (more == std::string::npos ? "" : call.substr(more)));
        }
        return calls;
    }
    void expect_well() { EXPECT_THAT(bangerd->faults(), ::testing::IsEmpty()); }

    World world;
    std::unique_ptr<Bangerd> bangerd = std::make_unique<Bangerd>(world);
};

}  // namespace banger::agent::test
