// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/operation.hpp"
#include "agent/core/vm/vm_forwards.hpp"
#include "agent/core/vm/vm_names.hpp"
#include "agent/core/vm/vm_ports.hpp"
#include "agent/core/vm/vm_runner.hpp"

namespace banger::agent {

/// What a client asks of a new VM; what it left out comes from the configuration.
struct VmRequest {
    std::optional<std::string> name;
    std::string image;
    std::string kernel;
    std::uint32_t vcpus;
    std::uint32_t memory_mib;
    ByteSize disk;
    VmmChoice vmm;
    NetworkChoice network;
    Nat nat{Nat::Off};
    StorageChoice storage{StorageChoice::Auto};
    ByteSize overlay{default_overlay};
    LoopbackPolicy loopback{LoopbackPolicy::Shielded};
    RateLimits rates{};
    StopPolicy on_stop{StopPolicy::Keep};
    HomePlace home{HomePlace::WorkDisk};
};

/// What is to become different of a VM; what isn't there stays.
struct VmChange {
    std::optional<std::uint32_t> vcpus{};
    std::optional<std::uint32_t> memory_mib{};
    std::optional<ByteSize> disk{};        ///< the work disk; it grows only
    std::optional<Nat> nat{};              ///< of a running one, too
    std::optional<ByteSize> overlay{};     ///< of a running one, too; it grows only
    std::optional<Autostart> autostart{};  ///< of a running one, too
};

/// What a VM of an archive is to be here.
struct ImportRequest {
    std::optional<std::string> name{};    ///< nullopt: its own
    std::optional<std::string> kernel{};  ///< nullopt: the very one that it had, else the usual one
    std::string usual_kernel;
    LoopbackPolicy loopback{LoopbackPolicy::Shielded};
};

inline constexpr std::chrono::milliseconds default_stop_limit{10'000};
/// Where its session or the host ends: more than the 10 s that Docker gives its containers, and with what the VMM takes to flush less than its
/// unit has.
inline constexpr std::chrono::milliseconds session_end_limit{12'000};
inline constexpr std::chrono::milliseconds default_ready_limit{120'000};

inline constexpr std::chrono::milliseconds lend_stop_limit{60'000};

/// What is done with a root disk that no VMM has open: a file, or the broker's device.
using RootUse = std::function<Task<void>(std::filesystem::path disk)>;
enum class StopFirst { No, Yes };
/// Puts root.img and work.img into a new VM's folder.
using FillFolder = std::function<Task<void>(std::filesystem::path folder)>;

enum class AfterCreate { Start, Leave };
/// Whether a delete may end what runs.
enum class Force { No, Yes };

/// The VMs of this user: finds, makes, changes and removes them. One lifecycle step at a time a VM, any number of VMs at once.
/// Loop thread.
class VmManager {
public:
    VmManager(const VmPorts& ports, std::filesystem::path vms_folder, std::uint32_t host_cpus, VmObserver observer);

    /// Reads the rows and takes over what runs. Folders that no row knows become rows: the database was lost, or is an old one.
    Task<void> recover(std::vector<VmRecord> rows);

    /// Sorted by name.
    std::vector<VmPtr> list() const;
    /// By name or id; null when there is none.
    VmPtr find(std::string_view name_or_id) const;
    /// As find(); throws NotFound with the nearest name.
    VmPtr get(std::string_view name_or_id) const;
    std::size_t running_count() const noexcept;

    /// Checks all of a request. Throws InvalidArgument, NotFound, AlreadyExists.
    VmSpec check(const VmRequest& request) const;
    /// Takes the name at once, in state creating; make() is to follow, which on failure leaves nothing. Throws AlreadyExists,
    /// InvalidArgument (a lease that can't be watched).
    VmPtr reserve(VmSpec spec, UniqueFd lease);
    Task<void> make(VmPtr vm, OperationPtr operation, AfterCreate after, std::chrono::milliseconds ready_limit);

    // vm_importing.cpp
    /// The spec of a VM that comes in by an archive: what depends on its old host is chosen anew, what opens this host is shut. Throws as check().
    VmSpec check_import(VmSpec described, const ImportRequest& request) const;
    /// As make(), of disks that `fill` brings: a stopped VM, or nothing.
    Task<void> take_in(VmPtr vm, OperationPtr operation, FillFolder fill);

    Task<void> start(VmPtr vm, OperationPtr operation, std::chrono::milliseconds ready_limit);
    Task<void> stop(VmPtr vm, OperationPtr operation, std::chrono::milliseconds limit);
    Task<void> restart(VmPtr vm, OperationPtr operation, std::chrono::milliseconds limit);
    void kill(const VmPtr& vm, int signal) { runner_.kill(vm, signal); }
    /// Throws WrongState when it runs (also where nobody can speak to that VMM) or is being made and `force` is No; ask check_removable() first to
    /// say so at once.
    Task<void> remove(VmPtr vm, OperationPtr operation, Force force);
    void check_removable(const VmPtr& vm, Force force) const;

    /// Between two runs, but for NAT and overlay. Throws InvalidArgument (also for a smaller disk), WrongState (not stopped), NoSpace,
    /// CorruptData (of the disk), and what Broker throws; ask check_change() first to say so at once.
    Task<void> change(VmPtr vm, OperationPtr operation, VmChange change);
    void check_change(const VmPtr& vm, const VmChange& change) const;

    /// Lends the root disk of a VM, which is stopped first where it runs and `stop` is Yes; nothing starts it meanwhile. One that is removed when it
    /// stops goes afterwards, unless `use` failed: then it is kept, as what is in it is nowhere else, and the error says so. Gives whether the
    /// guest went down in order. Throws WrongState (it runs, also where nobody can speak to its VMM, or is being made or removed); ask
    /// check_lendable() first to say so at once.
    Task<bool> lend_root(VmPtr vm, OperationPtr operation, StopFirst stop, RootUse use);
    static void check_lendable(const VmPtr& vm, StopFirst stop);

    /// As VmForwards::open() and close(), and written down: a bangerd that comes back has them again.
    Task<Forward> open_forward(VmPtr vm, Forward wish);
    Task<void> close_forward(VmPtr vm, std::string address, std::uint16_t port);

    /// To all guests that run: their clocks may be wrong, as this host has slept.
    void tell_time() const;
    /// The channel to a running guest. Throws WrongState.
    static GuestLink& link(const VmPtr& vm);

    /// Called now and then: trims the logs that VMMs hold open, lets guests go on that a full disk has stopped, and tells of one that is nearly full.
    void housekeep();

private:
    void trim_logs();
    void look_after(const VmPtr& vm);
    void look_at_room();
    Task<void> make_disks(VmPtr vm, OperationPtr operation, AfterCreate after);
    Task<void> sync_disks(VmPtr vm);
    Promise<Unit> begin_sync(const VmPtr& vm);
    Task<void> give_back(VmPtr vm);
    Task<void> discard(VmPtr vm, VmSandboxes::Patience patience = VmSandboxes::Patience::Wait);
    Task<void> change_sandbox(VmPtr vm, OperationPtr operation, VmSpec spec);
    Task<void> bring_up(VmPtr vm, OperationPtr operation, std::chrono::milliseconds ready_limit);
    Task<void> welcome(VmPtr vm, OperationPtr operation);
    Task<void> welcome_late(VmPtr vm);
    Task<void> come_back(VmPtr vm);
    Task<void> drop_forwards(VmPtr vm);
    Task<void> fill_folder(VmPtr vm, OperationPtr operation, FillFolder fill);
    // vm_lending.cpp
    Task<bool> stop_to_lend(VmPtr vm);
    Task<void> use_root(VmPtr vm, OperationPtr operation, RootUse use);
    Task<void> keep_unlent(VmPtr vm);
    Task<void> recover_one(VmPtr vm);
    Task<void> take_over_missed(VmPtr vm);
    Task<void> take_over_or_clear(VmPtr vm);
    std::vector<VmRecord> rows_of_folders(const std::vector<VmRecord>& known) const;
    void on_ended(const VmPtr& vm, VmRunner::Hooks::End end);
    void watch_lease(const VmPtr& vm);
    void on_lease_end(const VmPtr& vm);
    void remove_later(const VmPtr& vm);
    static void check_stoppable(const VmPtr& vm);
    /// What to do with the outcome of work that nobody waits for.
    std::function<void(std::exception_ptr)> logged(const VmPtr& vm, const std::string& what);
    VmPtr add(VmRecord record);

    VmPorts ports_;
    std::filesystem::path vms_folder_;
    std::uint32_t host_cpus_;
    VmNames names_;
    VmObserver observer_;
    VmSandboxes sandboxes_;
    VmForwards forwards_;
    VmRunner runner_;
    std::map<std::string, VmPtr, std::less<>> by_name_;
    bool has_little_room_{false};  ///< and that was told
};

}  // namespace banger::agent
