// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>

#include "agent/core/vm/vm_ports.hpp"

namespace banger::agent {

/// Keeps HostNames, and the guests themselves, at what runs and has an address that this host and they reach, which is one of the broker's
/// TAP. Loop thread.
class VmNames {
public:
    explicit VmNames(HostNames& names) : names_{&names} {}
    VmNames(const VmNames&) = delete;
    VmNames& operator=(const VmNames&) = delete;

    /// `observer`, which is told of each change after the names: who learns that a VM runs finds it.
    VmObserver before(VmObserver observer);
    /// From now on names are told. Before, those of the last bangerd hold: its VMs run on, and are found one after the other.
    void begin();

private:
    void look(const VmPtr& vm);
    void forget(const VmPtr& vm);
    void tell(const VmPtr& vm);
    void tell_guests(const std::vector<HostName>& names) const;

    HostNames* names_;
    std::function<void(const std::string&, const VmPtr&)> log_{};
    struct Known {
        std::weak_ptr<Vm> vm;
        HostName row;
    };
    std::map<std::string, Known> known_{};  ///< by the VM's id
    bool begun_{false};
    bool failed_{false};
};

}  // namespace banger::agent
