// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/caretaker.hpp"

#include <algorithm>

#include "broker/core/growth.hpp"
#include "common/error.hpp"

namespace banger::broker {
namespace {

constexpr std::chrono::milliseconds held_again{1000};
constexpr std::chrono::milliseconds idle_again{500};

bool put(std::set<SandboxKey>& set, const SandboxKey& key, bool in)
{
    return in ? set.insert(key).second : set.erase(key) > 0;
}

ByteSize room_of(const SnapshotStatus& status)
{
    return ByteSize{status.total.bytes() - std::min(status.used, status.total).bytes()};
}

}  // namespace

Caretaker::Round Caretaker::look_after(const std::set<SandboxKey>& left_alone)
{
    Round round{.changed = {}, .problems = {}, .next = std::nullopt};
    for (const auto& [key, record] : parts_.journal.records()) {
        if (record.phase != Phase::Running || !record.has_disk()) {
            held_.erase(key);
            broken_.erase(key);
            nearly_full_.erase(key);
            stuck_.erase(key);
            continue;
        }
        round.next = round.next.value_or(idle_again);
        if (left_alone.contains(key)) {
            continue;
        }
        try {
            look_after(record, round);
        } catch (const Error& problem) {
            if (put(stuck_, key, true)) {
                round.problems.push_back("sandbox " + key.str() + ": " + problem.what());
            }
        }
    }
    return round;
}

void Caretaker::look_after(const SandboxRecord& record, Round& round)
{
    const auto& key = record.key;
    const auto status = parts_.mapper.status(key);
    if (!status) {
        return;
    }
    if (status->state != SnapshotStatus::State::Active) {
        if (put(broken_, key, true)) {
            round.changed.push_back(key);
            round.problems.push_back(
                "sandbox " + key.str() +
                ": its copy-on-write file could not be written, so its I/O fails; the kernel's log says why");
        }
        if (status->held) {
            parts_.mapper.resume(key);  // by a broker that died over a clone; what waits fails
        }
        return;
    }
    const auto allocated = parts_.quota.allocated(key);
    const auto target = growth::target(status->used, allocated, record.cow_limit);
    const auto problem = lengthen(record, *status, target);
    // Where the device was not told, it has the room that it knows of, whatever the file has.
    const auto room =
        problem.empty() ? ByteSize{target.bytes() - std::min(status->used, target).bytes()} : room_of(*status);
    const auto least = std::min(growth::hold.bytes(), record.cow_limit.bytes() / 4);
    const bool hold = room.bytes() < least;
    if (hold && !status->held) {
        parts_.mapper.suspend(key);
    } else if (!hold && status->held) {  // also by somebody who could not let it go on
        parts_.mapper.resume(key);
    }
    bool changed = put(held_, key, hold);
    changed |= put(nearly_full_, key, !problem.empty() || growth::is_nearly_full(status->used, record.cow_limit));
    if (changed) {
        round.changed.push_back(key);
    }
    if (put(stuck_, key, !problem.empty()) && !problem.empty()) {
        round.problems.push_back("sandbox " + key.str() + " can't grow: " + problem);
    }
    round.next = std::min(round.next.value_or(idle_again), hold ? held_again : growth::look_again_in(room));
}

std::string Caretaker::lengthen(const SandboxRecord& record, const SnapshotStatus& status, ByteSize target)
{
    constexpr std::uint64_t sector = 512;
    const auto before = parts_.quota.allocated(record.key);
    if (target == before && status.total.bytes() >= before.bytes() / sector * sector) {
        return {};
    }
    try {
        parts_.quota.check(record.key.uid, {.sandboxes = 0, .bytes = ByteSize{target.bytes() - before.bytes()}});
        const auto cow = parts_.mapper.cow_of(record.key);
        if (!cow) {
            return "its device is gone";
        }
        parts_.files.grow(record.key, target);
        parts_.quota.set_allocated(record.key, target);
        const auto file = parts_.files.open(record.key);
        parts_.loops.refresh(*cow, file.get());
        return {};
    } catch (const Error& problem) {
        return problem.what();
    }
}

}  // namespace banger::broker
