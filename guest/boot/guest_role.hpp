// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/boot/stages.hpp"
#include "guest/core/server.hpp"

namespace banger::guest {

/// What all roles have in common.
class GuestRole : public Role {
public:
    /// `name`: "service", "init" or "initrd".
    explicit GuestRole(std::string name) : name_{std::move(name)}, stages_{Stages::load()} {}

    wire::Hello hello() override;
    bool runs_commands() const override { return true; }
    wire::ConfigureResult configure(const wire::Configure& configure) override;
    wire::Ready ready() override;
    bool starting() const override { return false; }
    Stages& stages() noexcept { return stages_; }
    const Stages& stages() const noexcept { return stages_; }

private:
    std::string name_;
    Stages stages_;
    bool ready_{false};
};

}  // namespace banger::guest
