// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/core/vm/vm.hpp"
#include "agent/ports/artifacts.hpp"
#include "agent/ports/broker.hpp"
#include "agent/ports/guest_link.hpp"
#include "agent/ports/guest_network.hpp"
#include "agent/ports/host_names.hpp"
#include "agent/ports/process_host.hpp"
#include "agent/ports/tcp_port.hpp"
#include "agent/ports/vm_disks.hpp"
#include "agent/ports/vm_store.hpp"
#include "agent/ports/vmm.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// The best VMM that this host has, or the one that was asked for.
class VmmLadder {
public:
    struct Pick {
        const Vmm* vmm;
        std::string lack;  ///< why it is not a better one; empty for the best
    };

    VmmLadder() = default;
    VmmLadder(const VmmLadder&) = delete;
    VmmLadder& operator=(const VmmLadder&) = delete;
    virtual ~VmmLadder() = default;
    /// May boot a probe (up to some seconds, once per host boot and kernel). Throws HostLacks, saying what would mend it.
    virtual Task<Pick> choose(VmSpec spec, Artifact kernel) = 0;
    /// Finds out what choose() needs to know, so that the first one need not wait. Throws nothing that choose() doesn't.
    virtual Task<void> look_ahead(Artifact kernel) = 0;
    /// By VmRecord::vmm; null for a name that this build doesn't know.
    virtual const Vmm* by_name(std::string_view name) const noexcept = 0;
};

/// How long others may take.
struct VmLimits {
    std::chrono::milliseconds shutdown_heard{2'000};  ///< the guest, to answer that it heard
    std::chrono::milliseconds vmm_quit{2'000};        ///< the VMM, to flush and leave
    std::chrono::milliseconds kill{10'000};  ///< the kernel, to end a killed process; longer means it hangs in I/O
    std::chrono::milliseconds going_down{
        120'000};                              ///< a guest, after the word to shut down, which it may never have heard
    std::chrono::milliseconds disk_held{100};  ///< between two tries to take a disk away that somebody still holds open
};

/// The world around the VMs, wired in main.cpp. All outlive the VmManager.
struct VmPorts {
    EventLoop& loop;
    Lane& store_lane;  ///< one thread, so rows are written in order
    Lane& work_lane;   ///< a few threads for disks
    VmStore& store;
    ProcessHost& processes;
    VmDisks& disks;
    GuestLinks& links;
    NetworkDriver& user_network;
    Broker& broker;
    HostNames& host_names;
    /// Begins the ids of this state folder's sandboxes, which no other's do (agent/README.md). Shape: [a-z0-9]{12}
    std::string sandbox_owner;
    /// IPv4 addresses of the name servers that a guest on a TAP is told: the host's, but no loopback.
    std::function<std::vector<std::string>()> resolvers;
    const Artifacts& images;
    const Artifacts& kernels;
    VmmLadder& ladder;
    /// The user's public ssh keys; empty where there are none.
    std::function<Task<std::vector<std::string>>()> authorized_keys;
    /// Gives a guest that is ready for the first time what each new one gets.
    std::function<Task<void>(VmPtr, OperationPtr)> welcome;
    /// As in ports/process_host.hpp.
    std::function<UniqueFd(const ProcessId&)> open_process;
    std::function<void(const UniqueFd&, int signal)> send_signal;
    OpenTcpPort open_tcp_port;
    /// Seconds since 1970.
    std::function<std::int64_t()> now;
    VmLimits limits{};
};

/// What others are told of VMs. Calls on the loop's thread; must not throw.
struct VmObserver {
    std::function<void(const VmPtr&)> added;
    std::function<void(const VmPtr&)> changed;
    std::function<void(const VmPtr&)> removed;
    std::function<void(const std::string& message, const VmPtr&)> log;
    /// VMs run, and where their disks grow no more than `free` is left; once, until there was enough again.
    std::function<void(ByteSize free)> little_room{};
};

}  // namespace banger::agent
