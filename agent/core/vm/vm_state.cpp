// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_state.hpp"

#include <array>
#include <cstddef>

namespace banger::agent {
namespace {

using enum VmState;
using enum VmEvent;

constexpr std::array state_names{"creating", "stopped", "starting", "running", "stopping", "deleting", "failed"};
constexpr std::array event_names{
    "made",           "start-requested", "guest-ready",  "ready-late",       "start-failed",
    "stop-requested", "vmm-ended",       "vmm-crashed",  "reboot-requested", "delete-requested",
    "found-running",  "found-gone",      "found-strange"};

constexpr std::array transitions{
    VmTransition{Creating, Made, Stopped},
    VmTransition{Creating, DeleteRequested, Deleting},
    VmTransition{Creating, FoundRunning, Deleting},  // half made when bangerd was killed
    VmTransition{Creating, FoundGone, Deleting},
    VmTransition{Creating, FoundStrange, Deleting},

    VmTransition{Stopped, StartRequested, Starting},
    VmTransition{Stopped, DeleteRequested, Deleting},
    VmTransition{Stopped, FoundRunning, Running},  // killed between the VMM's start and the row's
    VmTransition{Stopped, FoundGone, Stopped},
    VmTransition{Stopped, FoundStrange, Failed},

    VmTransition{Starting, GuestReady, Running},
    VmTransition{Starting, ReadyLate, Running},
    VmTransition{Starting, StartFailed, Failed},
    VmTransition{Starting, VmmEnded, Stopped},
    VmTransition{Starting, VmmCrashed, Failed},
    VmTransition{Starting, StopRequested, Stopping},
    VmTransition{Starting, DeleteRequested, Deleting},
    VmTransition{Starting, FoundRunning, Running},
    VmTransition{Starting, FoundGone, Stopped},
    VmTransition{Starting, FoundStrange, Failed},

    VmTransition{Running, GuestReady, Running},
    VmTransition{Running, StopRequested, Stopping},
    VmTransition{Running, VmmEnded, Stopped},
    VmTransition{Running, VmmCrashed, Failed},
    VmTransition{Running, RebootRequested, Stopped},
    VmTransition{Running, DeleteRequested, Deleting},
    VmTransition{Running, FoundRunning, Running},
    VmTransition{Running, FoundGone, Stopped},
    VmTransition{Running, FoundStrange, Failed},

    VmTransition{Stopping, StopRequested, Stopping},  // again, after a VMM that would not end
    VmTransition{Stopping, VmmEnded, Stopped},
    VmTransition{Stopping, VmmCrashed, Stopped},  // it was to end; how is in the log
    VmTransition{Stopping, GuestReady, Stopping},
    VmTransition{Stopping, DeleteRequested, Deleting},
    VmTransition{Stopping, FoundRunning, Running},
    VmTransition{Stopping, FoundGone, Stopped},
    VmTransition{Stopping, FoundStrange, Failed},

    VmTransition{Deleting, VmmEnded, Deleting},
    VmTransition{Deleting, VmmCrashed, Deleting},
    VmTransition{Deleting, FoundRunning, Deleting},
    VmTransition{Deleting, FoundGone, Deleting},
    VmTransition{Deleting, FoundStrange, Deleting},
    VmTransition{Deleting, DeleteRequested, Deleting},

    VmTransition{Failed, StartRequested, Starting},
    VmTransition{Failed, DeleteRequested, Deleting},
    VmTransition{Failed, FoundRunning, Running},
    VmTransition{Failed, FoundGone, Failed},
    VmTransition{Failed, FoundStrange, Failed},
    VmTransition{Failed, VmmEnded, Failed},  // what was left of a start that failed
    VmTransition{Failed, VmmCrashed, Failed},
};

}  // namespace

std::span<const VmTransition> vm_transitions() noexcept { return transitions; }

std::optional<VmState> next_state(VmState from, VmEvent event) noexcept
{
    for (const auto& row : transitions) {
        if (row.from == from && row.event == event) {
            return row.to;
        }
    }
    return std::nullopt;
}

std::string_view to_string(VmState state) noexcept { return state_names[static_cast<std::size_t>(state)]; }
std::string_view to_string(VmEvent event) noexcept { return event_names[static_cast<std::size_t>(event)]; }

std::optional<VmState> vm_state_of(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < state_names.size(); ++i) {
        if (text == state_names[i]) {
            return static_cast<VmState>(i);
        }
    }
    return std::nullopt;
}

}  // namespace banger::agent
