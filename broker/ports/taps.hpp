// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/sandbox.hpp"
#include "broker/ports/device_mapper.hpp"

namespace banger::broker {

/// Our TAPs: known by their altname, banger-UID-ID; a link of the same name without it is a stranger's and never touched. Lane thread.
class Taps {
public:
    Taps() = default;
    Taps(const Taps&) = delete;
    Taps& operator=(const Taps&) = delete;
    virtual ~Taps() = default;

    /// Makes a TAP: owner and altname first, then persistent, so that a killed broker leaves none without them; down, with the sysctls of R27,
    /// and forwarding on. Throws AlreadyExists (a link has that name), HostLacks (no TUN). Nothing is left where it throws.
    virtual void create(const SandboxNetwork& network) = 0;
    /// Gives it the gateway's address and lets it up.
    virtual void up(const SandboxNetwork& network) = 0;
    /// Lets nothing through it from now on; one that is gone is no error.
    virtual void down(const SandboxNetwork& network) noexcept = 0;
    virtual Removal remove(const std::string& altname) = 0;
    struct Tap {
        std::string name;
        SandboxKey key;
        unsigned index;
    };
    virtual std::vector<Tap> list() = 0;
    /// Whether a link, whoever's, has this name.
    virtual bool is_taken(const std::string& name) = 0;
};

}  // namespace banger::broker
