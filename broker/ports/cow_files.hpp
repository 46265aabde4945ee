// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "broker/core/sandbox.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {

/// The copy-on-write files: root's, in the broker's state folder, without holes. Lane thread.
class CowFiles {
public:
    CowFiles() = default;
    CowFiles(const CowFiles&) = delete;
    CowFiles& operator=(const CowFiles&) = delete;
    virtual ~CowFiles() = default;

    /// A new one, allocated and on the disk with its directory entry; its first chunk is zero, which makes a new snapshot of it.
    /// Throws NoSpace (nothing is left), AlreadyExists.
    virtual void create(const SandboxKey& key, ByteSize size) = 0;
    /// O_RDWR. Throws HostLacks: it is not there, which may pass.
    virtual UniqueFd open(const SandboxKey& key) = 0;
    /// Allocates up to `size`; whole or, with NoSpace, not at all.
    virtual void grow(const SandboxKey& key, ByteSize size) = 0;
    /// Length, all of it allocated; 0 when there is none.
    virtual ByteSize size(const SandboxKey& key) = 0;
    /// A copy that is on the disk. Throws NoSpace (nothing is left), AlreadyExists.
    virtual void clone(const SandboxKey& from, const SandboxKey& to) = 0;
    /// One that isn't there is no error.
    virtual void remove(const SandboxKey& key) = 0;
    virtual std::vector<SandboxKey> list() = 0;
};

}  // namespace banger::broker
