// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "tests/fakes/broker_machine.hpp"

namespace banger {

inline void PrintTo(ErrorCode code, std::ostream* out) { *out << error_info(code).dbus_name; }

}  // namespace banger

namespace banger::broker::test {

inline constexpr uid_t alice = 1000;
inline constexpr uid_t bob = 1001;
inline const std::string digest(64, 'a');
inline const std::string other_digest(64, 'b');

inline SandboxKey key_of(uid_t uid, std::string_view id) { return {.uid = uid, .id = SandboxId::parse(id)}; }

inline BaseDisk base_disk(const std::string& of = digest)
{
    UniqueFd file{::memfd_create("base", MFD_CLOEXEC)};
    EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(gib.bytes())), 0);
    return {.file = std::move(file), .size = gib, .digest = of};
}

/// What `call` throws; nullopt when it returns.
inline std::optional<ErrorCode> error_of(const std::function<void()>& call)
{
    try {
        call();
        return std::nullopt;
    } catch (const Error& error) {
        EXPECT_STRNE(error.what(), "");
        return error.code();
    }
}

/// A machine with two users, an uplink, strangers' things, and a broker that has just started.
struct BrokerWorld {
    using Tap = Sandboxes::Tap;
    using Force = Sandboxes::Force;
    using Copy = Sandboxes::Copy;

    explicit BrokerWorld(BrokerConfig settings = {}) : config{std::move(settings)}
    {
        kernel.names_of_users = {{alice, "alice"}, {bob, "bob"}};
        kernel.uplinks["eth0"] = {};
        kernel.nodes["banger-1000-foreign"] = {.whose = FakeKernel::Whose::Strangers};
        kernel.links["bgr1"] = {.whose = FakeKernel::Whose::Strangers};
        restart();
    }

    BrokerMachine& restart()
    {
        broker.reset();
        kernel.revive();
        broker.emplace(kernel, config);
        problems = broker->start();
        return *broker;
    }
    Sandboxes& sandboxes() { return broker->sandboxes; }

    /// As the gate has found it.
    std::string user_of(const SandboxKey& key) { return kernel.names_of_users.at(key.uid); }
    void create(const SandboxKey& key, ByteSize limit = 4 * gib)
    {
        sandboxes().create(key, user_of(key), digest, limit);
    }
    StartedSandbox start(const SandboxKey& key, Tap tap = Tap::Yes) { return sandboxes().start(key, base_disk(), tap); }
    void run(const SandboxKey& key, Nat nat = Nat::Off)
    {
        create(key);
        if (nat == Nat::On) {
            sandboxes().set_nat(key, Nat::On);
        }
        start(key);
    }
    void create_network(const SandboxKey& key) { sandboxes().create(key, user_of(key), "", {}); }
    void run_network(const SandboxKey& key)
    {
        create_network(key);
        sandboxes().start(key, std::nullopt, Tap::Yes);
    }
    /// As the service does it, copying on another lane between the two.
    void clone(const SandboxKey& from, const SandboxKey& to)
    {
        sandboxes().begin_clone(from, to);
        std::optional<Error> failure;
        try {
            kernel.ports().files.clone(from, to);
        } catch (const Error& problem) {
            failure = problem;
        }
        sandboxes().end_clone(from, to, failure ? Copy::Failed : Copy::Whole);
        if (failure) {
            throw Error{*failure};
        }
    }
    const SandboxRecord& record(const SandboxKey& key) { return *broker->journal.find(key); }
    bool has_link(const SandboxKey& key)
    {
        return std::any_of(kernel.links.begin(), kernel.links.end(),
                           [&](const auto& row) { return row.second.altname == "banger-" + key.str(); });
    }
    FakeKernel::Tap& link(const SandboxKey& key)
    {
        return std::find_if(kernel.links.begin(), kernel.links.end(),
                            [&](const auto& row) { return row.second.altname == "banger-" + key.str(); })
            ->second;
    }
    /// The machine, and what the broker knows of it.
    std::string all()
    {
        auto text = kernel.describe();
        for (const auto& view : sandboxes().list(std::nullopt)) {
            text += view.record.key.str() + ' ' + view.state() + ' ' + std::to_string(view.allocated.bytes()) + '\n';
        }
        return text;
    }

    FakeKernel kernel;
    BrokerConfig config;
    std::optional<BrokerMachine> broker;
    std::vector<std::string> problems;
    const SandboxKey box = key_of(alice, "box");
    const SandboxKey second = key_of(alice, "second");
    const SandboxKey bobs = key_of(bob, "box");
};

class BrokerTest : public ::testing::Test, protected BrokerWorld {};

}  // namespace banger::broker::test
