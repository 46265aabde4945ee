// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/rules.hpp"

#include <array>

namespace banger::broker {
namespace {

constexpr std::string_view manage = "dev.banger.manage-sandboxes";
constexpr std::string_view network = "dev.banger.enable-network";
constexpr std::string_view manage_and_network = "dev.banger.create-with-network";
constexpr std::string_view administer = "dev.banger.administer-sandboxes";

constexpr std::array table{
    Rule{Method::CreateSandbox, "CreateSandbox", Rule::Need::Action, manage},
    Rule{Method::CreateWithNat, "CreateSandbox", Rule::Need::Action, manage, network, manage_and_network},
    Rule{Method::StartSandbox, "StartSandbox", Rule::Need::NotDenied, manage},
    Rule{Method::StopSandbox, "StopSandbox", Rule::Need::Own, ""},
    Rule{Method::GrowSandbox, "GrowSandbox", Rule::Need::Own, ""},
    Rule{Method::CloneSandbox, "CloneSandbox", Rule::Need::Action, manage},
    Rule{Method::EnableNat, "SetNat", Rule::Need::Action, network},
    Rule{Method::DisableNat, "SetNat", Rule::Need::Own, ""},
    Rule{Method::PublishName, "PublishName", Rule::Need::Own, ""},
    Rule{Method::WithdrawName, "WithdrawName", Rule::Need::Own, ""},
    Rule{Method::DestroySandbox, "DestroySandbox", Rule::Need::Own, ""},
    Rule{Method::List, "List", Rule::Need::Own, ""},
    Rule{Method::AdminList, "AdminList", Rule::Need::Action, administer},
    Rule{Method::AdminDestroy, "AdminDestroy", Rule::Need::Action, administer},
};

constexpr bool in_order()
{
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].method != static_cast<Method>(i)) {
            return false;
        }
    }
    return table.size() == static_cast<std::size_t>(Method::AdminDestroy) + 1;
}
static_assert(in_order());

}  // namespace

std::span<const Rule> rules() noexcept { return table; }

const Rule& rule_of(Method method) noexcept { return table[static_cast<std::size_t>(method)]; }

}  // namespace banger::broker
