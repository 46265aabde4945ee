// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/possible.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace banger::cli::tui {
namespace {

bool is_one_of(const std::string& state, std::initializer_list<std::string_view> states)
{
    return std::find(states.begin(), states.end(), state) != states.end();
}

std::string is_so(const VmRow& vm) { return vm.name + " is " + vm.state; }

std::string why_no_nat(const VmRow& vm)
{
    if (is_one_of(vm.state, {"stopped", "failed"}) || (vm.state == "running" && vm.network == "tap")) {
        return "";
    }
    return vm.state == "running" ? vm.name + " runs without a network interface of the broker's (network " +
                                       vm.network + "); stop it, then a gives it one"
                                 : is_so(vm) + "; NAT is switched while it runs or is stopped";
}

}  // namespace

std::string why_not(const VmRow& vm, Verb verb)
{
    const auto unless = [&vm](std::initializer_list<std::string_view> states, const std::string& mend) {
        return is_one_of(vm.state, states) ? std::string{} : is_so(vm) + mend;
    };
    switch (verb) {
        case Verb::Start:
            return unless({"stopped", "failed"}, "");
        case Verb::Stop:
            return unless({"starting", "running", "stopping"}, "; there is nothing to stop");
        case Verb::Restart:
            return unless({"starting", "running"}, "; s starts one that is stopped");
        case Verb::Kill:
            return unless({"starting", "running", "stopping", "failed"}, "; there is nothing to kill");
        case Verb::Delete:
        case Verb::ForceDelete:
            return vm.state == "deleting" ? is_so(vm) + " already" : "";
        case Verb::NatOn:
        case Verb::NatOff:
            return why_no_nat(vm);
        case Verb::Shell:
        case Verb::Ssh:
        case Verb::Ports:
            return unless({"running"}, "; s starts one that is stopped");
        case Verb::Change:
            return unless({"stopped", "failed", "running"}, "; it can be changed once that is over");
        default:
            return "";
    }
}

std::string question_before(const VmRow& vm, Verb verb)
{
    if (verb == Verb::Kill) {
        return "kill " + vm.name + "? What its guest had not synced is lost.";
    }
    if (verb == Verb::Delete || verb == Verb::ForceDelete) {
        return is_one_of(vm.state, {"stopped", "failed"})
                   ? "delete " + vm.name + " and what is on its disks?"
                   : vm.name + " is " + vm.state + "; kill and delete it, with its disks?";
    }
    return "";
}

}  // namespace banger::cli::tui
