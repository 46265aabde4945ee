// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/operation.hpp"
#include "agent/core/task.hpp"
#include "agent/core/vm/vm_record.hpp"
#include "agent/ports/broker.hpp"
#include "agent/ports/guest_link.hpp"
#include "agent/ports/tcp_port.hpp"
#include "agent/ports/vmm.hpp"
#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// How a start came out; the first of these to happen counts.
enum class StartOutcome { Ready, VmmEnded, Cancelled };

/// What bangerd holds of a VM whose VMM runs.
struct RunningVm {
    UniqueFd process;  ///< pidfd
    EventLoop::Source process_source;
    std::unique_ptr<VmmControl> control;
    std::unique_ptr<GuestLink> link;
    bool ready{false};
    bool ready_once{false};  ///< in this VMM's life; a guest that resets before that would do so for ever
    bool kill_asked{false};  ///< an end by signal is then no crash
    bool late{false};        ///< it took too long to get ready, and its reason says so
    bool unattended{false};  ///< no start waits for its guest any more, which was not ready when it was given up
    std::optional<GuestGoodbye> goodbye;
    /// The bangerd before this one has noted that a stop had begun, or that its guest said goodbye; an end until then is that one.
    std::chrono::steady_clock::time_point going_down_until{};
    std::string guest_failure;
    Promise<StartOutcome> started;
    Event ended;
    std::vector<std::unique_ptr<TcpPort>> ports;  ///< of the row's forwards, in their order
};

/// The reason of one whose guest a full disk of this host's has stopped.
inline constexpr std::string_view reason_host_full =
    "the guest stands still: this host's disk is full; it goes on by itself once there is room";

/// One VM as bangerd knows it. Loop thread; lives as long as a shared_ptr does, since tasks hold it over a delete.
struct Vm {
    VmRecord record;
    std::filesystem::path folder;
    TaskMutex lifecycle;  ///< held by a start, stop, restart or delete from its first step to its last
    std::unique_ptr<RunningVm> running;
    UniqueFd lease;
    EventLoop::Source lease_source;
    OperationPtr making;               ///< what makes it, its first start included; null later
    bool give_up{false};               ///< a stop or a delete waits for the start in progress
    std::function<void()> end_boot{};  ///< while a VMM is told what to boot: kills it
    std::function<void()> end_wait{};  ///< while a start or a change may wait for polkit's answer: gives it up
    bool restarting{false};            ///< a stop that a start follows: no end in the sense of remove_on_stop
    bool reboot_wanted{false};         ///< the guest rebooted, and nobody has stopped it since
    bool end_unasked{false};           ///< its VMM's last end was nobody's wish: a crash, or the guest powered off
    bool removed{false};               ///< its row and folder are gone
    bool first_boot{false};            ///< the start in progress is of one whose guest was never ready
    TaskMutex sandbox_turn;            ///< held while the broker works on its sandbox
    bool asking{false};                ///< and waits for somebody's answer, perhaps
    std::optional<StartedSandbox> sandbox_started;  ///< by its making, for the first start
    std::optional<SandboxRow> sandbox_seen;         ///< as the broker listed it last
    std::string tap_lack;                           ///< why it has no TAP that its configuration likes

    explicit Vm(VmRecord row, std::filesystem::path place) : record{std::move(row)}, folder{std::move(place)} {}
    const std::string& name() const noexcept { return record.spec.name.str(); }
    bool ready() const noexcept { return running && running->ready; }
};

using VmPtr = std::shared_ptr<Vm>;

}  // namespace banger::agent
