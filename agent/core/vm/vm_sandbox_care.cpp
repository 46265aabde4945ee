// SPDX-License-Identifier: GPL-2.0-or-later
// The half of VmSandboxes that makes the broker's sandboxes and the VMs agree, whoever was killed in between.
#include <algorithm>
#include <charconv>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_sandboxes.hpp"

namespace banger::agent {
namespace {

/// The VM's id in the id of one of our sandboxes; empty for others, of another state folder or of another program of this user's.
std::string vm_id_in(const std::string& sandbox, const std::string& owner)
{
    const auto prefix = owner + "-";
    if (owner.empty() || !sandbox.starts_with(prefix)) {
        return "";
    }
    try {
        return VmId::parse(sandbox.substr(prefix.size())).str();
    } catch (const Error&) {
        return "";
    }
}

}  // namespace

std::string warning_of(const Vm& vm)
{
    if (!vm.sandbox_seen || vm.sandbox_seen->limit.bytes() == 0) {
        return "";
    }
    const auto& seen = *vm.sandbox_seen;
    const std::string mend = "banger vm set --system-overlay-size SIZE " + vm.name();
    if (seen.state == SandboxRow::State::Broken) {
        return "the host could not write the root disk, so the guest's reads and writes fail: look after the host's "
               "disk, then banger vm kill " +
               vm.name() + " and banger vm start " + vm.name();
    }
    if (seen.state == SandboxRow::State::Held) {
        return "the root disk can't grow, so the guest's writes wait: make room on the host's disk, or allow more "
               "than " +
               seen.limit.to_string() + " with " + mend;
    }
    // As the broker's own rule, which sends SandboxChanged (growth.hpp there): a tenth, or 192 MiB.
    constexpr auto low = 192 * mib;
    const auto room = seen.limit.bytes() - std::min(seen.used, seen.limit).bytes();
    if (room < std::max(seen.limit.bytes() / 10, std::min(low.bytes(), seen.limit.bytes() / 4))) {
        return "the root disk is nearly full: " + seen.used.to_string() + " of " + seen.limit.to_string() +
               " are used, then writes wait; " + mend + " allows more";
    }
    // It grows long before this little is left (256 MiB at a time), unless it can't.
    constexpr auto least_room = 96 * mib;
    const auto ahead = seen.allocated.bytes() - std::min(seen.used, seen.allocated).bytes();
    if (seen.state == SandboxRow::State::Running && seen.allocated < seen.limit && ahead < least_room.bytes()) {
        return "the root disk can't grow much longer: the disk of the host or this user's quota is full";
    }
    return "";
}

GuestNetwork tap_network(const std::string& address)
{
    // The two addresses of a /30 that are of use end in the bits 01 and 10.
    constexpr unsigned both_bits = 3;
    const auto dot = address.rfind('.');
    unsigned last = 0;
    std::from_chars(address.data() + dot + 1, address.data() + address.size(), last);
    return {.kind = "tap",
            .address = address,
            .prefix = 30,
            .gateway = address.substr(0, dot + 1) + std::to_string(last ^ both_bits),
            .dns = {},
            .vmm = {VmmNetwork::Kind::Tap}};
}

void VmSandboxes::align()
{
    if (std::exchange(looking_, true)) {
        look_again_ = true;
        return;
    }
    spawn(look(), [this](std::exception_ptr) {  // it can't be reached: housekeep() tries again
        looking_ = false;
        if (std::exchange(look_again_, false)) {
            align();
        }
    });
}

/// A missed signal, a broker that came anew and forgot who listens, or one that was away: all that is mended by looking again.
void VmSandboxes::housekeep()
{
    const auto vms = hooks_.vms();
    const bool watched = std::any_of(
        vms.begin(), vms.end(), [this](const VmPtr& vm) { return vm->record.sandbox && (vm->running || !looked_); });
    if (watched || !leftovers_.empty()) {
        align();
    }
}

Task<void> VmSandboxes::look()
{
    const auto rows = co_await ports_.broker.list();
    looked_ = true;
    std::set<std::string> listed;
    for (const auto& row : rows) {
        const auto vm_id = vm_id_in(row.id, ports_.sandbox_owner);
        if (vm_id.empty()) {
            continue;
        }
        listed.insert(row.id);
        const auto vms = hooks_.vms();
        const auto vm =
            std::find_if(vms.begin(), vms.end(), [&](const VmPtr& one) { return one->record.id.str() == vm_id; });
        if (vm != vms.end()) {
            VmPtr found = *vm;
            co_await take_in(found, row);
            co_await name(std::move(found), row);
        } else if (!std::filesystem::exists(hooks_.vms_folder / vm_id)) {
            // Without a row, but with a folder, it may be a VM whose description is damaged: its disk is kept.
            co_await take_away(row.id);
        }
    }
    forget_lost(listed);
}

Task<void> VmSandboxes::take_in(VmPtr vm, SandboxRow row)
{
    auto& record = vm->record;
    record.sandbox = true;
    if (!vm->sandbox_turn.is_locked()) {
        record.sandbox_nat = row.nat;
    }
    const bool news = !vm->sandbox_seen || *vm->sandbox_seen != row;
    vm->sandbox_seen = row;
    if (news) {
        hooks_.observer.changed(vm);
    }
    const auto is_left_over = [&] {
        return !vm->running && !vm->lifecycle.is_locked() && !vm->sandbox_turn.is_locked() && !vm->sandbox_started &&
               (record.state == VmState::Stopped || record.state == VmState::Failed);
    };
    if (row.state != SandboxRow::State::Stopped && is_left_over()) {
        const auto vmm = co_await ports_.processes.find(record.id, "vmm", vm->folder, record.process);
        if (!vmm && is_left_over()) {  // a VMM that we can't speak to keeps what it has
            stop(vm);
        }
    }
}

/// A name is a convenience: one that can't be had is said once and harms nothing.
Task<void> VmSandboxes::name(VmPtr vm, SandboxRow row)
{
    const bool has_network = row.state != SandboxRow::State::Stopped && vm->running && vm->record.network == "tap";
    const bool is_named = named_.contains(row.id) && row.name == vm->name();
    if (!has_network || is_named || nameless_.contains(row.id)) {
        co_return;
    }
    const auto address = vm->record.address;
    std::optional<Error> failure;
    try {
        co_await ports_.broker.publish(row.id, vm->name(), tap_network(address).gateway, address);
    } catch (const Error& error) {
        failure = error;
    }
    if (!failure) {
        named_.insert(row.id);
    } else if (failure->code() != ErrorCode::WrongState && failure->code() != ErrorCode::Unavailable) {
        nameless_.insert(row.id);
        log("systemd-resolved does not find it as " + vm->name() +
                ".vm, so libnss_banger alone may: " + failure->what(),
            vm);
    }
}

Task<void> VmSandboxes::take_away(std::string id)
{
    std::optional<Error> failure;
    try {
        co_await until_free(&VmSandboxes::destroy_now, id);
    } catch (const Error& error) {
        failure = error;
    }
    if (failure) {
        leftovers_.insert(id);  // tried again
    } else {
        leftovers_.erase(id);
    }
}

/// A network that the broker forgot is made anew by the next start. A disk is not: that start says that it is lost.
void VmSandboxes::forget_lost(const std::set<std::string>& listed)
{
    for (const auto& vm : hooks_.vms()) {
        const bool busy = vm->running || vm->lifecycle.is_locked() || vm->sandbox_turn.is_locked();
        if (vm->record.sandbox && !busy && !listed.contains(id_of(vm))) {
            vm->sandbox_seen.reset();
            vm->record.sandbox_nat = Nat::Off;
            vm->record.sandbox = vm->record.spec.storage == StorageChoice::DmSnapshot;
        }
    }
    std::erase_if(leftovers_, [&](const std::string& id) { return !listed.contains(id); });
}

}  // namespace banger::agent
