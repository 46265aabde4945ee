// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace banger::agent {

/// What a VM is seen to be. agent/README.md shows the same table as vm_transitions() for people.
enum class VmState { Creating, Stopped, Starting, Running, Stopping, Deleting, Failed };

enum class VmEvent {
    Made,  ///< its folder and disks are whole
    StartRequested,
    GuestReady,
    ReadyLate,    ///< the guest took longer than asked; the VMM is left for a look
    StartFailed,  ///< the VMM could not be started
    StopRequested,
    VmmEnded,  ///< in an orderly way: the guest powered off, or we asked
    VmmCrashed,
    RebootRequested,  ///< the guest rebooted, which ends its VMM; bangerd asks for a start at once
    DeleteRequested,
    FoundRunning,  ///< bangerd came back and the VMM lives
    FoundGone,     ///< bangerd came back and the VMM does not
    FoundStrange,  ///< bangerd came back and a VMM lives that it can't speak to
};

struct VmTransition {
    VmState from;
    VmEvent event;
    VmState to;
};

/// Every allowed transition; what isn't here is refused.
std::span<const VmTransition> vm_transitions() noexcept;
std::optional<VmState> next_state(VmState from, VmEvent event) noexcept;

std::string_view to_string(VmState state) noexcept;
std::string_view to_string(VmEvent event) noexcept;
/// nullopt for an unknown word.
std::optional<VmState> vm_state_of(std::string_view text) noexcept;

}  // namespace banger::agent
