// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/sandbox.hpp"

namespace banger::broker {

/// Where the journal is kept: one small text a sandbox, replaced whole. Lane thread.
class RecordStore {
public:
    struct Entry {
        std::string name;  ///< the file's, for messages
        std::string text;
    };

    RecordStore() = default;
    RecordStore(const RecordStore&) = delete;
    RecordStore& operator=(const RecordStore&) = delete;
    virtual ~RecordStore() = default;

    virtual std::vector<Entry> load() = 0;
    /// On the disk when it returns. Throws NoSpace, Failed; the old text stays then.
    virtual void save(const SandboxKey& key, const std::string& text) = 0;
    /// One that isn't there is no error.
    virtual void remove(const SandboxKey& key) = 0;
};

}  // namespace banger::broker
