// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/ports/forwarding.hpp"
#include "broker/system/rtnetlink.hpp"
#include "broker/system/state_folder.hpp"

namespace banger::broker {

/// net.ipv4.conf.INTERFACE.forwarding. Which interfaces were switched on is written to a file first, so that a later broker puts them back.
class ProcForwarding final : public Forwarding {
public:
    /// Told of all interfaces that are switched on: before any of them is, or stays so, and after one is off again.
    using Guard = std::function<void(const std::vector<std::string>& interfaces)>;

    /// `file`: in a folder of root's own. Shape: a line an interface, INDEX NAME
    ProcForwarding(const std::filesystem::path& file, Guard guard);

    /// An interface is also given up, without being switched off, when net.ipv4.conf.all.forwarding has become 1: somebody else wants the host
    /// to be a router, and with that every interface is one. While it is 1, none is taken.
    void follow() override;
    void release() override;
    /// Names of what this and earlier brokers have switched on.
    std::vector<std::string> switched_on() const;

private:
    struct Interface {
        unsigned index;
        std::string name;
        bool operator==(const Interface&) const = default;
    };

    std::vector<Interface> load() const;
    void save();
    void change(std::vector<Interface> wanted);

    StateFolder folder_;
    std::string name_;
    Guard guard_;
    Rtnetlink rtnetlink_;
    std::vector<Interface> ours_;
};

}  // namespace banger::broker
