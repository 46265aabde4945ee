// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/taps.hpp"
#include "broker/system/rtnetlink.hpp"

namespace banger::broker {

/// TAPs by /dev/net/tun, their names and addresses by rtnetlink.
class TunTaps final : public Taps {
public:
    void create(const SandboxNetwork& network) override;
    /// Throws NotFound: there is no such TAP, or it is a stranger's.
    void up(const SandboxNetwork& network) override;
    void down(const SandboxNetwork& network) noexcept override;
    Removal remove(const std::string& altname) override;
    std::vector<Tap> list() override;
    bool is_taken(const std::string& name) override;

private:
    Rtnetlink rtnetlink_;
};

}  // namespace banger::broker
