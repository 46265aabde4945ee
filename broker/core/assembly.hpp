// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/core/config.hpp"
#include "broker/core/journal.hpp"
#include "broker/ports/cow_files.hpp"
#include "broker/ports/device_mapper.hpp"
#include "broker/ports/firewall.hpp"
#include "broker/ports/forwarding.hpp"
#include "broker/ports/loop_devices.hpp"
#include "broker/ports/taps.hpp"

namespace banger::broker {

/// All of the outside that sandboxes are made of; each outlives those who refer to it.
struct Kernel {
    DeviceMapper& mapper;
    LoopDevices& loops;
    CowFiles& files;
    Taps& taps;
    Firewall& firewall;
    Forwarding& forwarding;
};

/// The disk that a client wants below its sandbox, checked.
struct BaseDisk {
    UniqueFd file;
    ByteSize size;
    std::string digest;
};

/// Puts the kernel's things of one sandbox together and takes them apart. Lane thread.
class Assembly {
public:
    Assembly(const BrokerConfig& config, const Journal& journal, Kernel kernel)
        : config_{&config}, journal_{&journal}, kernel_{kernel}
    {
    }

    /// All that `record` says, over `base` where it has a disk. Where it throws (InUse, HostLacks, NoSpace, Failed), take_apart() is for what
    /// there is by then.
    void build(const SandboxRecord& record, const BaseDisk* base);
    /// All that there is; a disk that is open goes when it is closed. Throws Failed, when all has gone that could.
    void take_apart(const SandboxRecord& record);
    /// Whether its disk is open somewhere.
    bool is_open(const SandboxKey& key);
    /// Lets what the host forwards follow the records: on while one that runs has NAT, else back as it was.
    void follow_forwarding();
    SandboxNetwork network_of(const SandboxRecord& record) const;
    /// The networks of those that run.
    std::vector<SandboxNetwork> running_networks() const;

private:
    std::unique_ptr<NewNode> build_disk(const SandboxRecord& record, const BaseDisk& base);
    void build_network(const SandboxNetwork& network);
    void take_apart(const SandboxNetwork& network);

    const BrokerConfig* config_;
    const Journal* journal_;
    Kernel kernel_;
};

}  // namespace banger::broker
