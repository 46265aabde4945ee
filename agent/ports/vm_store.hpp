// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "agent/core/vm/vm_record.hpp"

namespace banger::agent {

/// Where VM rows live. Each call is durable when it returns. Used from one thread at a time (the store's lane).
class VmStore {
public:
    VmStore() = default;
    VmStore(const VmStore&) = delete;
    VmStore& operator=(const VmStore&) = delete;
    virtual ~VmStore() = default;

    /// Sorted by name. Throws CorruptData.
    virtual std::vector<VmRecord> load() = 0;
    /// Throws AlreadyExists (name taken), NoSpace.
    virtual void insert(const VmRecord& record) = 0;
    /// Throws NotFound, NoSpace.
    virtual void update(const VmRecord& record) = 0;
    /// Removing what isn't there is no error.
    virtual void remove(const VmId& id) = 0;
};

}  // namespace banger::agent
