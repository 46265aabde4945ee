// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_names.hpp"

namespace banger::agent {
namespace {

bool is_reached(const Vm& vm) { return vm.running && vm.record.network == "tap" && !vm.record.address.empty(); }

}  // namespace

VmObserver VmNames::before(VmObserver observer)
{
    log_ = observer.log;
    const auto first = [this](void (VmNames::*step)(const VmPtr&), std::function<void(const VmPtr&)> then) {
        return [this, step, then = std::move(then)](const VmPtr& vm) {
            (this->*step)(vm);
            then(vm);
        };
    };
    return {.added = first(&VmNames::look, std::move(observer.added)),
            .changed = first(&VmNames::look, std::move(observer.changed)),
            .removed = first(&VmNames::forget, std::move(observer.removed)),
            .log = std::move(observer.log),
            .little_room = std::move(observer.little_room)};
}

void VmNames::look(const VmPtr& vm)
{
    if (!is_reached(*vm)) {
        forget(vm);
        return;
    }
    const HostName row{.name = vm->name(), .address = vm->record.address};
    auto& known = known_[vm->record.id.str()];
    if (known.row != row) {
        known = {.vm = vm, .row = row};
        tell(vm);
    }
}

void VmNames::forget(const VmPtr& vm)
{
    if (known_.erase(vm->record.id.str()) > 0) {
        tell(vm);
    }
}

void VmNames::begin()
{
    begun_ = true;
    tell(nullptr);
}

/// Names are a convenience: what can't be written is said once, and harms nothing.
void VmNames::tell(const VmPtr& vm)
{
    if (!begun_) {
        return;
    }
    std::vector<HostName> names;
    names.reserve(known_.size());
    for (const auto& [id, known] : known_) {
        names.push_back(known.row);
    }
    tell_guests(names);
    try {
        names_->tell(names);
        failed_ = false;
    } catch (const Error& error) {
        if (vm && !std::exchange(failed_, true)) {
            log_(std::string{"programs of this host may not find VMs by their names: "} + error.what(), vm);
        }
    }
}

void VmNames::tell_guests(const std::vector<HostName>& names) const
{
    for (const auto& [id, known] : known_) {
        if (const auto vm = known.vm.lock(); vm && vm->running && vm->running->link) {
            vm->running->link->tell_names(names);
        }
    }
}

}  // namespace banger::agent
