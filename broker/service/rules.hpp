// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

namespace banger::broker {

/// The members of the interface.
enum class Method {
    CreateSandbox,
    CreateWithNat,  ///< CreateSandbox, and EnableNat with it
    StartSandbox,
    StopSandbox,
    GrowSandbox,
    CloneSandbox,
    EnableNat,   ///< SetNat(true)
    DisableNat,  ///< SetNat(false): less is always allowed
    PublishName,
    WithdrawName,
    DestroySandbox,
    List,
    AdminList,
    AdminDestroy,
};

/// What a call of a member needs before anything is done for it. A member without a row can't be served (R3).
struct Rule {
    enum class Need {
        Own,        ///< the caller's uid is all: what it does is to the caller's own things
        NotDenied,  ///< as Own, but a plain no of polkit's to `action` is one; that a password would be needed is none
        Action,     ///< polkit allows `action`
    };
    Method method;
    std::string_view name;  ///< as on the bus
    Need need;
    std::string_view action;  ///< polkit's; empty with Own
    std::string_view also{};  ///< another that it must allow as well; or empty
    std::string_view both{};  ///< what a person is asked once in place of the two, where polkit would ask for each
};

/// One row a member, in the order of the enum.
std::span<const Rule> rules() noexcept;
const Rule& rule_of(Method method) noexcept;

}  // namespace banger::broker
