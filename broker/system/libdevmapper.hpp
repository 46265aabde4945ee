// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/device_mapper.hpp"

namespace banger::broker {

/// Device-mapper by libdevmapper. Each change addresses its node by UUID alone, so that the kernel itself compares it (R18). One object a
/// process: the library is one.
class LibDevmapper final : public DeviceMapper {
public:
    /// The library's messages go to the log at level debug from now on.
    LibDevmapper();

    std::unique_ptr<NewNode> create(const SandboxKey& key, ByteSize size, BlockDevice base, BlockDevice cow) override;
    std::optional<unsigned> open_count(const SandboxKey& key) override;
    Removal remove(const SandboxKey& key) override;
    std::optional<SnapshotStatus> status(const SandboxKey& key) override;
    std::optional<BlockDevice> cow_of(const SandboxKey& key) override;
    /// Throws NotFound.
    void suspend(const SandboxKey& key) override;
    /// Throws NotFound.
    void resume(const SandboxKey& key) override;
    std::vector<SandboxKey> list() override;

private:
    void cut_off(const SandboxKey& key);
};

}  // namespace banger::broker
