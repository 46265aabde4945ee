// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/core/sandbox.hpp"
#include "broker/ports/record_store.hpp"

namespace banger::broker {

/// What is known of all sandboxes: in memory, and on the disk before the kernel follows. Lane thread.
class Journal {
public:
    explicit Journal(RecordStore& store) : store_{&store} {}

    /// Reads everything. A record that can't be read stays where it is, with all that may belong to it; what is wrong with it is told.
    std::vector<std::string> load();
    const std::map<SandboxKey, SandboxRecord>& records() const noexcept { return records_; }
    /// nullptr: there is none.
    const SandboxRecord* find(const SandboxKey& key) const noexcept;
    /// Whether this sandbox's record can't be read: nothing of it may be touched.
    bool is_damaged(const SandboxKey& key) const noexcept { return damaged_.contains(key); }
    /// Adds it, or replaces what it was. Throws NoSpace, Failed; then nothing has changed.
    void save(const SandboxRecord& record);
    void remove(const SandboxKey& key);

private:
    RecordStore* store_;
    std::map<SandboxKey, SandboxRecord> records_;
    std::set<SandboxKey> damaged_;
};

}  // namespace banger::broker
