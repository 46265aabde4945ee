// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/quota_book.hpp"
#include "broker/ports/cow_files.hpp"
#include "broker/ports/device_mapper.hpp"
#include "broker/ports/loop_devices.hpp"

namespace banger::broker {

/// Makes the copy-on-write files of running sandboxes longer before they are full. One that can't grow is held: its I/O waits, nothing is
/// lost, and goes on when there is room. Lane thread.
class Caretaker {
public:
    struct Parts {
        const Journal& journal;
        QuotaBook& quota;
        DeviceMapper& mapper;
        LoopDevices& loops;
        CowFiles& files;
    };
    explicit Caretaker(Parts parts) : parts_{parts} {}

    struct Round {
        std::vector<SandboxKey> changed;                ///< held, goes on, or nearly full: their owners should know
        std::vector<std::string> problems;              ///< for the log, once each
        std::optional<std::chrono::milliseconds> next;  ///< when to look again; nullopt: no disk is in use
    };
    /// `left_alone`: those that are being cloned; their I/O waits already, and their files must keep their length.
    Round look_after(const std::set<SandboxKey>& left_alone = {});

private:
    void look_after(const SandboxRecord& record, Round& round);
    /// Makes the file as long as `target` and lets its device know, where either isn't yet. Why that could not be done; empty when it was.
    std::string lengthen(const SandboxRecord& record, const SnapshotStatus& status, ByteSize target);

    Parts parts_;
    std::set<SandboxKey> held_;         ///< those whose I/O waits because of us
    std::set<SandboxKey> broken_;       ///< those whose owners know that their I/O fails
    std::set<SandboxKey> nearly_full_;  ///< those whose owners know
    std::set<SandboxKey> stuck_;        ///< those that could not grow last time
};

}  // namespace banger::broker
