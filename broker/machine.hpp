// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/caretaker.hpp"
#include "broker/core/reconciler.hpp"
#include "broker/core/sandboxes.hpp"
#include "broker/system/cow_files.hpp"
#include "broker/system/libdevmapper.hpp"
#include "broker/system/loop_ioctl.hpp"
#include "broker/system/nftables.hpp"
#include "broker/system/posix_users.hpp"
#include "broker/system/proc_forwarding.hpp"
#include "broker/system/record_files.hpp"
#include "broker/system/tun_ioctl.hpp"

namespace banger::broker {

/// Everything that sandboxes are made of, on this machine; the one place that names concrete classes.
struct Machine {
    Machine(const std::string& state, const std::string& runtime, const BrokerConfig& settings)
        : config{settings},
          records{state + "/sandboxes"},
          files{state + "/disks"},
          loops{runtime + "/loops"},
          firewall{},
          forwarding{state + "/forwarding",
                     [this](const std::vector<std::string>& uplinks) { firewall.set_uplinks(uplinks); }},
          journal{records},
          quota{config, journal},
          assembly{config, journal, kernel()},
          sandboxes{{config, journal, quota, assembly}, kernel()},
          caretaker{{journal, quota, mapper, loops, files}},
          reconciler{{journal, quota, assembly, users}, kernel()}
    {
        firewall.expect_uplinks(forwarding.switched_on());
    }

    Kernel kernel() { return {mapper, loops, files, taps, firewall, forwarding}; }

    BrokerConfig config;
    RecordFiles records;
    LibDevmapper mapper;
    CowFolder files;
    LoopIoctl loops;
    TunTaps taps;
    Nftables firewall;
    ProcForwarding forwarding;
    PosixUsers users;
    Journal journal;
    QuotaBook quota;
    Assembly assembly;
    Sandboxes sandboxes;
    Caretaker caretaker;
    Reconciler reconciler;
};

}  // namespace banger::broker
