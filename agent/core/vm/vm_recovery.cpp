// SPDX-License-Identifier: GPL-2.0-or-later
// What VmManager does once, at bangerd's start: make rows, folders and processes agree.
#include <algorithm>

#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_manager.hpp"

namespace banger::agent {

Task<void> VmManager::recover(std::vector<VmRecord> rows)
{
    const auto found = rows_of_folders(rows);
    for (const auto& row : found) {
        auto& store = ports_.store;
        auto insert = [&store, row] { store.insert(row); };
        std::exception_ptr failure;
        try {
            co_await run_on(ports_.loop, ports_.store_lane, std::move(insert));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {  // found again by the next start; a full disk must not be in the way of what makes room
            observer_.log("the folder of " + row.spec.name.str() + " can't be taken in: " + to_error(failure).what(),
                          std::make_shared<Vm>(row, vms_folder_ / row.id.str()));
            continue;
        }
        rows.push_back(row);
    }
    std::vector<VmPtr> vms;
    vms.reserve(rows.size());
    for (auto& row : rows) {
        vms.push_back(add(std::move(row)));
    }
    for (const auto& vm : vms) {
        try {
            co_await recover_one(vm);
        } catch (...) {
            observer_.log(std::string{"can't be taken over: "} + to_error(std::current_exception()).what(), vm);
        }
    }
    std::vector<std::string> known;
    known.reserve(vms.size());
    for (const auto& vm : vms) {
        known.push_back(vm->record.id.str());
    }
    auto clear = [folder = vms_folder_, known] { remove_leftover_folders(folder, known); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(clear));
    names_.begin();
    sandboxes_.align();  // nobody waits for it: there may be no broker, or one that hangs
}

Task<void> VmManager::recover_one(VmPtr vm)
{
    const auto guard = co_await vm->lifecycle.lock();
    co_await take_over_or_clear(vm);
}

/// For who holds its lifecycle: one that bangerd's start could not look for may run, or be gone, and that is made true first.
Task<void> VmManager::take_over_missed(VmPtr vm)
{
    const auto state = vm->record.state;
    if (!vm->running && (state == VmState::Running || state == VmState::Starting || state == VmState::Stopping)) {
        co_await take_over_or_clear(vm);
    }
}

Task<void> VmManager::take_over_or_clear(VmPtr vm)
{
    const auto before = vm->record.state;
    const auto found = co_await runner_.recover(vm);
    const bool was_up = before == VmState::Running || before == VmState::Starting || before == VmState::Stopping ||
                        before == VmState::Failed;
    // One that was never started waits for its start, also with remove_on_stop.
    const bool unwanted = was_up && found == VmEvent::FoundGone && vm->record.spec.on_stop == StopPolicy::Remove;
    if (before == VmState::Creating || before == VmState::Deleting || unwanted) {
        co_await runner_.end(vm);
        co_await discard(vm, VmSandboxes::Patience::None);
    }
}

std::vector<VmRecord> VmManager::rows_of_folders(const std::vector<VmRecord>& known) const
{
    std::vector<VmRecord> rows;
    const auto is_among = [](const std::vector<VmRecord>& some, const VmRecord& one) {
        return std::any_of(some.begin(), some.end(),
                           [&](const VmRecord& row) { return row.id == one.id || row.spec.name == one.spec.name; });
    };
    std::vector<std::string> ids;
    ids.reserve(known.size());
    for (const auto& row : known) {
        ids.push_back(row.id.str());
    }
    for (auto& found : described_vms(vms_folder_, ids)) {
        if (!is_among(known, found) && !is_among(rows, found)) {
            rows.push_back(std::move(found));
        }
    }
    return rows;
}

}  // namespace banger::agent
