// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/sandbox.hpp"

namespace banger::broker {

/// A block device as device-mapper tables name it.
struct BlockDevice {
    unsigned major;
    unsigned minor;
    auto operator<=>(const BlockDevice&) const = default;
};

/// What a live snapshot says of its copy-on-write device (dm-snapshot.c, snapshot_status).
struct SnapshotStatus {
    enum class State { Active, Overflow, Invalid };
    State state;
    ByteSize used;   ///< of the copy-on-write device, with metadata
    ByteSize total;  ///< as the snapshot knows it
    bool held;       ///< suspended: I/O waits
};

/// What became of a thing that should go.
enum class Removal { Removed, Absent, Busy };

/// A node that the kernel has and udev may not have made yet.
class NewNode {
public:
    NewNode() = default;
    NewNode(const NewNode&) = delete;
    NewNode& operator=(const NewNode&) = delete;
    virtual ~NewNode() = default;

    /// Until /dev/mapper/NAME is there, its user's, and udev done with it. Once. Throws HostLacks, and leaves the node as it is.
    virtual void wait() = 0;
};

/// Our nodes of device-mapper: name banger-UID-ID, UUID BANGER-UID-ID. One of that name with another UUID is a stranger's and never touched.
/// Lane thread. All throw HostLacks (no device-mapper here), Failed.
class DeviceMapper {
public:
    DeviceMapper() = default;
    DeviceMapper(const DeviceMapper&) = delete;
    DeviceMapper& operator=(const DeviceMapper&) = delete;
    virtual ~DeviceMapper() = default;

    /// A snapshot ("PO", 8 sectors a chunk) of `base`, which udev then makes /dev/mapper/NAME for. Throws AlreadyExists (the name is in use),
    /// InUse (our own of last time is not gone yet). Nothing is left where it throws.
    [[nodiscard]] virtual std::unique_ptr<NewNode> create(const SandboxKey& key, ByteSize size, BlockDevice base,
                                                          BlockDevice cow) = 0;
    /// How often the node is open; nullopt when it isn't there.
    virtual std::optional<unsigned> open_count(const SandboxKey& key) = 0;
    /// Busy: it is open, and goes by itself when it is closed for the last time. I/O that is held goes on, or fails; all that comes later fails.
    virtual Removal remove(const SandboxKey& key) = 0;
    /// nullopt: there is none, or it is on its way out.
    virtual std::optional<SnapshotStatus> status(const SandboxKey& key) = 0;
    /// The copy-on-write device of a live one.
    virtual std::optional<BlockDevice> cow_of(const SandboxKey& key) = 0;
    /// Lets writes and reads wait until resume(), once those under way are done. What the page cache alone has stays there: to write it takes as
    /// long as its owner likes.
    virtual void suspend(const SandboxKey& key) = 0;
    virtual void resume(const SandboxKey& key) = 0;
    /// Keys of all nodes of ours, those on their way out not among them.
    virtual std::vector<SandboxKey> list() = 0;
};

/// Absolute path of the node.
std::string dm_node(const SandboxKey& key);

}  // namespace banger::broker
