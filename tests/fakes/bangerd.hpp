// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/vm/vm_manager.hpp"
#include "tests/fakes/ports.hpp"
#include "tests/fakes/world.hpp"

namespace banger::agent::test {

/// What became of a task.
struct Outcome {
    bool ended{false};           ///< false: bangerd died, or the task hangs
    std::optional<Error> error;  ///< of one that ended badly
    bool ok() const { return ended && !error; }
    ErrorCode code() const { return error ? error->code() : ErrorCode::Internal; }
    std::string what() const { return error ? error->what() : ended ? "it went well" : "it did not end"; }
};

/// The VM half of a bangerd over a World. Dropping it is SIGKILL, when the world is dead, or an ordinary end.
class Bangerd {
public:
    explicit Bangerd(World& world);
    Bangerd(const Bangerd&) = delete;
    Bangerd& operator=(const Bangerd&) = delete;
    ~Bangerd();

    /// Takes over what the world holds.
    Outcome recover();

    VmRequest request(const std::string& name) const;
    /// Creates a VM and waits for the operation's end.
    Outcome create(const std::string& name, AfterCreate after = AfterCreate::Start);
    Outcome create(const VmRequest& request, AfterCreate after = AfterCreate::Start, UniqueFd lease = {});
    Outcome start(const std::string& name);
    Outcome stop(const std::string& name, std::chrono::milliseconds limit = std::chrono::seconds{5});
    Outcome restart(const std::string& name);
    Outcome remove(const std::string& name, Force force);

    /// Starts a task; the outcome changes when it ends.
    std::shared_ptr<Outcome> begin(Task<void> work);
    Outcome run(Task<void> work);
    /// Turns the loop until `done`, bangerd's death, or some seconds have passed. False then.
    bool drive(const std::function<bool()>& done, std::chrono::milliseconds limit = std::chrono::seconds{5});
    /// Turns the loop until what is under way has ended, but for what waits for a guest or hangs.
    void settle();

    OperationPtr operation(const std::string& kind = "test");
    VmPtr vm(const std::string& name) { return manager->find(name); }
    FakeLink& link(const std::string& name) { return dynamic_cast<FakeLink&>(*vm(name)->running->link); }
    std::string sandbox_id(const std::string& name) { return "ownerownerow-" + vm(name)->record.id.str(); }
    /// What the broker has of it; null when it has nothing.
    const FakeSandbox* sandbox(const std::string& name);
    VmState state(const std::string& name) { return vm(name)->record.state; }
    /// How its guest or its VMM ends it.
    void end_guest(const std::string& name, std::optional<GuestEnd> said);

    /// What is wrong with this bangerd's view of the world once nothing is under way; empty when all is well.
    std::vector<std::string> faults();

    World& world;
    EventLoop loop;
    FakeStore store{world};
    FakeProcessHost processes{world};
    FakeDisks disks{world};
    FakeNetwork network{world};
    FakeBroker broker{world};
    FakeHostNames host_names{world};
    FakeVmm vmm{world};
    FakeLadder ladder{world, vmm};
    FakeLinks links{world, loop, vmm};
    FakeArtifacts images;
    FakeArtifacts kernels;
    Lane store_lane{1};
    static constexpr int work_threads = 2;
    Lane work_lane{work_threads};
    std::map<std::string, std::function<void(UniqueFd)>> open_ports;  ///< of this host, as "ADDRESS:PORT"
    std::set<std::string> taken_ports;                                ///< by others
    std::unique_ptr<VmManager> manager;
    std::vector<std::string> seen;  ///< "NAME STATE" for each change
    std::vector<std::string> log;
    std::vector<ByteSize> little_room;  ///< that was told of
    std::vector<std::string> welcomed;  ///< guests that got what each new one gets

private:
    void drain_lanes();
    std::unique_ptr<TcpPort> open_port(const std::string& address, std::uint16_t number,
                                       std::function<void(UniqueFd)> accepted);
    VmPorts ports();
    VmObserver observer();
    Task<std::vector<std::string>> keys();
    Task<void> welcome(VmPtr vm);
};

/// While it lives, what this thread allocates is no leak: the frames of tasks that a SIGKILL cut off.
class LeaksExpected {
public:
    LeaksExpected();
    LeaksExpected(const LeaksExpected&) = delete;
    LeaksExpected& operator=(const LeaksExpected&) = delete;
    ~LeaksExpected();
};

}  // namespace banger::agent::test
