// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/loop_devices.hpp"
#include "broker/system/state_folder.hpp"

namespace banger::broker {

/// Loop devices by loop(4)'s ioctls. A file loopN in a folder of ours tells udev's rules which are banger's (R20): it is there before the
/// device is, and goes when sweep() finds the device free or a stranger's, as attach() and refresh() do, too.
class LoopIoctl final : public LoopDevices {
public:
    /// `marks`: /run/banger-broker/loops
    explicit LoopIoctl(const std::filesystem::path& marks);

    Loop attach(int file, Access access, const std::string& mark) override;
    void refresh(BlockDevice device, int file) override;
    void sweep() override;

private:
    std::optional<Loop> try_attach(int number, int file, Access access, const std::string& mark);

    StateFolder marks_;
};

}  // namespace banger::broker
