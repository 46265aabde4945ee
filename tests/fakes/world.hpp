// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/core/vm/vm_record.hpp"
#include "agent/ports/broker.hpp"
#include "agent/ports/host_names.hpp"
#include "agent/ports/vmm.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent::test {

/// What becomes of one step of the world, counted from arm() on.
enum class Fault {
    None,
    Fail,       ///< it throws
    Hang,       ///< it never comes back
    DieBefore,  ///< bangerd gets SIGKILL just before it
    DieAfter,   ///< and just after it: the step is done, and nobody learns of it
};

/// A VMM process.
struct FakeProcess {
    int pid;
    std::uint64_t start_time;
    std::filesystem::path folder;
    UniqueFd life;   ///< closed when it ends, so that `watch` hangs up like a pidfd
    UniqueFd watch;  ///< open_process() gives copies
    bool alive{true};
    std::optional<GuestEnd> said{};
    bool guest_is_up{false};
};

/// How the guests of this world behave.
struct FakeGuests {
    bool get_ready{true};
    std::optional<GuestEnd> end_early{};  ///< the VMM ends before its guest is ready, saying this
    bool crash_early{false};              ///< and so, saying nothing
    bool hear{true};                      ///< a shutdown request is answered
    bool shut_down{true};                 ///< and followed
};

struct FakeVmms {
    bool obey_quit{true};
    bool die_when_killed{true};
    bool stuck{false};   ///< stopped by a full disk
    bool slow{false};    ///< boot() goes on until its process ends
    bool known{true};    ///< to the bangerd that looks for one
    bool told{true};     ///< which process it is, by who starts it
    bool hidden{false};  ///< but for a row's note: units of a systemd that can't be asked
    bool booted{true};   ///< false: started, and never told what to boot
};

/// How the broker of this world behaves.
struct FakeBrokerWays {
    bool there{false};
    bool allows{true};                      ///< polkit, without a question
    bool user_says_yes{false};              ///< where polkit asks
    std::optional<Promise<Unit>> answer{};  ///< of the user's, for which a switch of NAT waits
    bool routes_names{true};                ///< as a host with systemd-resolved does
    std::string lacks_for_disks{};          ///< what a start with a disk fails with, as HostLacks; empty: it can
    std::string lacks_for_taps{};
    ByteSize quota{1024 * gib};    ///< the most that one overlay may have
    bool is_first_version{false};  ///< which made no sandbox with NAT
    int times_gone{0};             ///< so many of the next starts end with the broker gone; what they did is undone, or
    bool gone_after{false};        ///< is done
    int times_in_use{0};           ///< so many of the next stops and destroys find the disk open
};

/// A sandbox of this world's broker.
struct FakeSandbox {
    std::optional<Digest> base{};
    ByteSize limit{};
    bool running{false};
    bool held{false};
    bool broken{false};
    bool tap{false};
    Nat nat{Nat::Off};
    ByteSize used{};
    std::string name{};
};

/// All that outlives a bangerd: rows, files (real ones, in a folder of its own), processes, networks. The fakes behind bangerd's ports
/// act on it. Any thread.
class World {
public:
    World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    // Faults. Steps that run on the loop's thread without waiting count for Fail alone: bangerd can't hang or die in those.
    void arm(int step, Fault fault, ErrorCode code = ErrorCode::Failed);
    /// As above, at the next step of this name.
    void arm(const std::string& step, Fault fault, ErrorCode code = ErrorCode::Failed);
    void disarm();
    /// The name of the step at which the fault happened; empty: not yet.
    std::string fired() const;
    bool is_dead() const;
    bool is_hanging() const;
    /// The threads of a dead bangerd end.
    void bury();
    /// A new bangerd comes; nothing is armed.
    void revive();

    // For the fakes.
    Fault take(const std::string& step);
    void step_now(const std::string& step);
    void before(Fault fault);
    void after(Fault fault);
    Task<void> before_async(Fault fault);
    Task<void> after_async(Fault fault);

    int start_process(const std::filesystem::path& folder);
    void end_process(int pid, std::optional<GuestEnd> said);
    /// The live one in this folder; null when there is none.
    FakeProcess* process_in(const std::filesystem::path& folder);
    UniqueFd open(const ProcessId& process);
    void signal(const UniqueFd& process, int number);
    std::size_t live_processes() const;

    std::filesystem::path root;
    std::filesystem::path vms() const { return root / "vms"; }
    std::map<std::string, VmRecord> rows;                      ///< by id; under mutex
    std::map<std::filesystem::path, LoopbackPolicy> networks;  ///< by the VM's folder
    FakeGuests guests;
    FakeVmms vmms;
    std::filesystem::path last_prepared;  ///< the folder of the VM whose VMM was readied last
    FakeBrokerWays broker;
    std::map<std::string, FakeSandbox> sandboxes;  ///< by id
    std::vector<std::string> broker_calls;         ///< "CALL ID", and what it asked for
    std::vector<HostName> host_names;              ///< as they were told last
    int names_told{0};
    bool names_fail{false};
    std::vector<int> signals;  ///< that were sent to VMMs
    mutable std::recursive_mutex mutex;

private:
    [[noreturn]] void wait_for_burial();

    std::map<int, FakeProcess> processes_;
    int next_pid_{1000};
    int steps_{0};
    int at_{0};
    std::string at_name_;
    Fault fault_{Fault::None};
    ErrorCode code_{ErrorCode::Failed};
    std::string fired_;
    bool dead_{false};
    bool buried_{false};
    std::condition_variable_any changed_;
};

}  // namespace banger::agent::test
