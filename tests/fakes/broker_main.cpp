// SPDX-License-Identifier: GPL-2.0-or-later
// The broker as it is on the bus, with the real polkit and bus behind its gate, and with a machine in memory below it: for tests/contract.
// banger-broker-fake [IDLE-LIMIT-IN-MS [FAILING-STEP]]; DBUS_SYSTEM_BUS_ADDRESS says which bus. SIGUSR1: all guests fill their disks. SIGUSR2: the
// test's uid is given to heir, and with the next one back to tester.
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "broker/core/address_pool.hpp"
#include "broker/service/broker.hpp"
#include "broker/service/log.hpp"
#include "broker/system/bus_callers.hpp"
#include "broker/system/file_facts.hpp"
#include "broker/system/loop_clock.hpp"
#include "broker/system/polkit_authority.hpp"
#include "broker/system/socket_facts.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/broker_machine.hpp"

namespace {

using namespace banger;
using namespace banger::broker;

/// A resolved that takes everything.
class FakeNames final : public NameRouting {
public:
    explicit FakeNames(EventLoop& loop) : loop_{&loop} {}
    void publish(const SandboxNetwork&, const std::string&, std::uint16_t, Done done) override
    {
        later(std::move(done));
    }
    void withdraw(const SandboxNetwork&, Done done) override { later(std::move(done)); }

private:
    void later(Done done)
    {
        loop_->post([done = std::move(done)] { done(std::nullopt); });
    }
    EventLoop* loop_;
};

/// As the kernel says, but that the file system is one of the allowed: a test's folder is where it is.
OpeningFacts lenient_opening(int file)
{
    constexpr std::uint64_t ext4 = 0xef53;
    return {.flags = opening_of(file).flags, .file_system = ext4};
}

/// As the kernel says, but that 127.0.0.1 is the gateway of the first sandbox, whose address this machine doesn't have.
SocketFacts local_facts(int socket)
{
    auto facts = socket_facts(socket);
    if (facts.address == INADDR_LOOPBACK) {
        facts.address = BrokerConfig{}.pool.network + 1;
    }
    return facts;
}

void block_signals()
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGUSR1);
    sigaddset(&ours, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

void fill_disks(test::BrokerMachine& machine)
{
    for (const auto& [key, record] : machine.journal.records()) {
        if (machine.kernel.node(key) != nullptr) {
            machine.kernel.fill(key, record.cow_limit);
        }
    }
}

int serve(std::chrono::milliseconds idle_limit, int failing_step)
{
    test::FakeKernel kernel;
    const auto uid = ::geteuid();
    std::string user{"tester"};
    kernel.names_of_users[uid] = user;
    kernel.uplinks["eth0"] = {};
    test::BrokerMachine machine{kernel};
    if (failing_step > 0) {
        kernel.fail_at(failing_step, ErrorCode::Failed);
    }
    EventLoop loop;
    const auto connection = bus::open_system_bus();
    const bus::LoopAttachment attachment{*connection, loop, [&loop] { loop.quit(0); }};
    BusCallers callers{*connection};
    PolkitAuthority authority{*connection};
    LoopClock clock{loop};
    FakeNames names{loop};
    std::optional<Broker> broker;
    const NameOf name_of = [&loop, &user](uid_t, std::function<void(std::optional<std::string>)> told) {
        loop.post([told = std::move(told), &user] { told(user); });
    };
    Gate gate{{.callers = callers,
               .authority = authority,
               .clock = clock,
               .config = machine.config,
               .name_of = name_of,
               .audit = [&](const AuditLine& line) {
                   log::audit(line);
                   broker->call_ended();
               }}};
    Lane lane;  // also for copies: the machine in memory has one thread
    broker.emplace(Broker::Parts{.connection = *connection,
                                 .object = {.loop = loop,
                                            .lane = lane,
                                            .copies = lane,
                                            .gate = gate,
                                            .sandboxes = machine.sandboxes,
                                            .files = kernel.ports().files,
                                            .names = names,
                                            .opening_facts = lenient_opening,
                                            .file_facts = facts_of,
                                            .socket_facts = local_facts},
                                 .journal = machine.journal,
                                 .caretaker = machine.caretaker,
                                 .reconciler = machine.reconciler,
                                 .name_of = name_of,
                                 .idle_limit = idle_limit});
    const auto full = loop.on_signal(SIGUSR1, [&] {
        if (!lane.submit([&machine] { fill_disks(machine); })) {
            log::error("the lane is full");
        }
    });
    const auto heir = loop.on_signal(SIGUSR2, [&] {
        user = user == "tester" ? "heir" : "tester";
        if (!lane.submit([&kernel, uid, name = user] { kernel.names_of_users[uid] = name; })) {
            log::error("the lane is full");
        }
        broker->users_changed();
    });
    broker->kernel_changed();  // somebody may change rules before we know of ours
    broker->start();
    return loop.run();
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        block_signals();
        const std::chrono::milliseconds idle_limit{argc > 1 ? std::atoi(argv[1]) : 30'000};
        return serve(idle_limit, argc > 2 ? std::atoi(argv[2]) : 0);
    } catch (const std::exception& failure) {
        log::error(failure.what());
        return EXIT_FAILURE;
    }
}
