// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/vm_news.hpp"

#include <utility>

#include "agent/core/vm/vm_sandboxes.hpp"

namespace banger::agent {
namespace {

Notice notice_of(const Vm& vm, const std::string& what, std::string_view body, NoticeAction action)
{
    return {.key = key_of_vm(vm.record.id.str()),
            .title = vm.name() + " " + what,
            .body = notice_line(body),
            .about = vm.name(),
            .action = action,
            .subject = vm.record.id.str()};
}

}  // namespace

VmNews::Sight VmNews::sight_of(const Vm& vm)
{
    Sight sight{vm.record.state, Room::Enough};
    if (vm.running && vm.record.reason == reason_host_full) {
        sight.room = Room::HostFull;
    } else if (vm.record.state == VmState::Running && !warning_of(vm).empty()) {
        const auto state = vm.sandbox_seen->state;  // a warning is about that
        sight.room = state == SandboxRow::State::Broken ? Room::Broken
                     : state == SandboxRow::State::Held ? Room::Waits
                                                        : Room::Little;
    }
    return sight;
}

void VmNews::learn(const Vm& vm) { seen_.insert_or_assign(vm.record.id.str(), sight_of(vm)); }

void VmNews::forget(const Vm& vm) { seen_.erase(vm.record.id.str()); }

std::optional<Notice> VmNews::look(const Vm& vm)
{
    const auto now = sight_of(vm);
    const auto [at, is_new] = seen_.emplace(vm.record.id.str(), now);
    const auto before = std::exchange(at->second, now);
    if (is_new) {
        return std::nullopt;
    }
    if (before.state != now.state) {
        if (auto news = news_of_end(vm, before.state)) {
            return news;
        }
    }
    return now.room > before.room ? std::optional{news_of_room(vm, now.room)} : std::nullopt;
}

std::optional<Notice> VmNews::news_of_end(const Vm& vm, VmState before)
{
    const auto& record = vm.record;
    if (record.spec.on_stop == StopPolicy::Remove) {
        return std::nullopt;
    }
    if (record.state == VmState::Failed && before == VmState::Running) {
        return notice_of(vm, "has ended by itself", record.reason, NoticeAction::ShowLog);
    }
    if (record.state == VmState::Failed && before == VmState::Starting) {
        return notice_of(vm, "did not start", record.reason, NoticeAction::ShowLog);
    }
    if (record.state == VmState::Stopped && before == VmState::Running && vm.end_unasked && !vm.reboot_wanted) {
        return notice_of(vm, "has shut itself down", "Nobody had asked banger for it.", NoticeAction::Start);
    }
    return std::nullopt;
}

Notice VmNews::news_of_room(const Vm& vm, Room room)
{
    switch (room) {
        case Room::HostFull:
            return notice_of(vm, "stands still", "The disk of this computer is full. It goes on once there is room.",
                             NoticeAction::ShowLog);
        case Room::Broken:
            return notice_of(vm, "can't write its disk", warning_of(vm), NoticeAction::ShowLog);
        case Room::Waits:
            return notice_of(vm, "waits for room on its disk", warning_of(vm), NoticeAction::ShowLog);
        case Room::Little:
        case Room::Enough:
            break;
    }
    return notice_of(vm, "has little room left", warning_of(vm), NoticeAction::OpenShell);
}

Notice news_of_little_room(ByteSize free)
{
    return {.key = "host-disk",
            .title = "The disk of this computer is nearly full",
            .body = free.to_string() + " are left for all VMs; with nothing left they stand still.",
            .about = "the disk of this computer",
            .action = NoticeAction::OpenTui};
}

}  // namespace banger::agent
