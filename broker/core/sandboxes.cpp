// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/sandboxes.hpp"

#include <algorithm>

#include "broker/core/growth.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::broker {
namespace {

void check_most(ByteSize limit)
{
    if (limit > growth::most_limit) {
        throw Error{ErrorCode::InvalidArgument, "cow_bytes must be less than 2^63"};
    }
}

void check_limit(const std::string& digest, ByteSize limit)
{
    if (limit.bytes() == 0 && !digest.empty()) {
        throw Error{ErrorCode::InvalidArgument, "a sandbox without a disk has no digest of one"};
    }
    if (limit.bytes() != 0 && digest.empty()) {
        throw Error{ErrorCode::InvalidArgument, "the digest of the disk below is missing"};
    }
    if (limit.bytes() != 0 && limit < growth::least_limit) {
        throw Error{ErrorCode::InvalidArgument, "cow_bytes must be at least 16 MiB"};
    }
    check_most(limit);
}

void check_base_of(const SandboxRecord& record, const std::optional<BaseDisk>& base)
{
    if (base.has_value() != record.has_disk()) {
        throw Error{ErrorCode::InvalidArgument,
                    record.has_disk() ? "the disk's descriptor is missing" : "this sandbox was created without a disk"};
    }
    if (base && base->digest != record.base_digest) {
        throw Error{ErrorCode::InvalidArgument,
                    "this sandbox was created over another disk: its digest is " + record.base_digest};
    }
}

}  // namespace

const char* SandboxView::state() const noexcept
{
    if (record.phase != Phase::Running) {
        return "stopped";
    }
    if (broken) {
        return "broken";
    }
    return held ? "held" : "running";
}

void Sandboxes::create(const SandboxKey& key, const std::string& user, const std::string& digest, ByteSize limit,
                       Nat nat)
{
    check_limit(digest, limit);
    check_new(key, limit.bytes() != 0 ? Disk::Yes : Disk::No);
    const auto first = std::min(limit, growth::step);
    parts_.quota.check(key.uid, {.sandboxes = 1, .bytes = first});
    SandboxRecord record{
        .key = key, .user = user, .base_digest = digest, .cow_limit = limit, .slot = free_slot(), .nat = nat};
    if (!record.has_disk()) {
        parts_.journal.save(record);
        return;
    }
    record = in_phase(record, Phase::Making);
    Rollback undo;
    undo.add([&] {
        kernel_.files.remove(key);  // first: a record without its file is half, a file without its record nobody's
        parts_.quota.set_allocated(key, ByteSize{});
        parts_.journal.remove(key);
    });
    parts_.quota.set_allocated(key, first);
    kernel_.files.create(key, first);
    in_phase(record, Phase::Stopped);
    undo.commit();
}

StartedSandbox Sandboxes::start(const SandboxKey& key, const std::optional<BaseDisk>& base, Tap tap)
{
    const auto before = find(key);
    auto record = before;
    if (record.phase == Phase::Running) {
        throw Error{ErrorCode::WrongState, "the sandbox runs already"};
    }
    check_base_of(record, base);
    record.network = tap == Tap::Yes;
    if (record.network && record.slot >= parts_.config.pool.slots()) {
        record.slot = free_slot();  // the pool has become smaller since
    }
    record = in_phase(record, Phase::Starting);
    Rollback undo;
    undo.add([&] { parts_.assembly.follow_forwarding(); });
    undo.add([&] { in_phase(before, Phase::Stopped); });
    undo.add([&] { parts_.assembly.take_apart(record); });
    parts_.assembly.build(record, base ? &*base : nullptr);
    in_phase(record, Phase::Running);
    undo.commit();
    StartedSandbox started{.disk = base ? dm_node(key) : "", .network = std::nullopt};
    if (record.network) {
        started.network = parts_.assembly.network_of(record);
    }
    return started;
}

void Sandboxes::stop(const SandboxKey& key)
{
    const auto record = find(key);
    if (record.phase == Phase::Stopped) {
        return;
    }
    if (record.has_disk() && parts_.assembly.is_open(key)) {
        if (is_held(key)) {
            kernel_.mapper.resume(key);  // else what holds the disk can't come to its end
        }
        throw Error{ErrorCode::InUse, "its disk is open; end the VM first"};
    }
    tear_down(record);
}

/// Leaves it stopped.
void Sandboxes::tear_down(const SandboxRecord& record)
{
    auto gone = in_phase(record, Phase::Stopping);
    parts_.assembly.take_apart(gone);
    parts_.assembly.follow_forwarding();  // before it is stopped, or no second try would come to it
    gone.name.clear();
    in_phase(gone, Phase::Stopped);
    close_name_servers();
}

void Sandboxes::grow(const SandboxKey& key, ByteSize limit)
{
    auto record = find(key);
    check_most(limit);
    if (!record.has_disk() || limit < record.cow_limit) {
        throw Error{ErrorCode::InvalidArgument,
                    record.has_disk()
                        ? "a copy-on-write file's limit can't become smaller; it is " + record.cow_limit.to_string()
                        : "this sandbox was created without a disk"};
    }
    const auto allocated = parts_.quota.allocated(key);
    const ByteSize more{limit.bytes() - std::min(limit, allocated).bytes()};
    parts_.quota.check(key.uid, {.sandboxes = 0, .bytes = std::min(more, growth::step)});
    record.cow_limit = limit;
    parts_.journal.save(record);
}

void Sandboxes::set_nat(const SandboxKey& key, Nat nat)
{
    const auto before = find(key);
    auto record = before;
    record.nat = nat;
    parts_.journal.save(record);
    if (record.phase != Phase::Running || !record.network) {
        return;
    }
    Rollback undo;
    undo.add([&] { parts_.assembly.follow_forwarding(); });
    undo.add([&] { kernel_.firewall.set_nat(parts_.assembly.network_of(before)); });
    undo.add([&] { parts_.journal.save(before); });
    kernel_.firewall.set_nat(parts_.assembly.network_of(record));
    parts_.assembly.follow_forwarding();
    undo.commit();
}

SandboxNetwork Sandboxes::check_name(const SandboxKey& key, const std::string& name) const
{
    const auto& record = find(key);
    if (record.phase != Phase::Running || !record.network) {
        throw Error{ErrorCode::WrongState, "only a running sandbox with a network can have a name"};
    }
    for (const auto& [other, theirs] : parts_.journal.records()) {
        if (theirs.name == name && other != key) {
            throw Error{ErrorCode::AlreadyExists, "the name " + name + ".vm is taken"};
        }
    }
    return parts_.assembly.network_of(record);
}

SandboxNetwork Sandboxes::set_name(const SandboxKey& key, const std::string& name, UniqueFd server)
{
    if (!name.empty()) {
        check_name(key, name);
    }
    auto record = find(key);
    if (record.name != name) {
        record.name = name;
        parts_.journal.save(record);
    }
    if (server) {
        name_servers_.insert_or_assign(key, std::move(server));
    }
    close_name_servers();
    return parts_.assembly.network_of(record);
}

/// Of those that have no name any more, however they lost it.
void Sandboxes::close_name_servers()
{
    std::erase_if(name_servers_, [this](const auto& row) {
        const auto* record = parts_.journal.find(row.first);
        return record == nullptr || record->name.empty();
    });
}

void Sandboxes::destroy(const SandboxKey& key, Force force)
{
    const auto record = force == Force::No ? find_of_user(key) : find_of_anybody(key);
    if (force == Force::No && record.has_disk() && parts_.assembly.is_open(key)) {
        throw Error{ErrorCode::InUse, "its disk is open; end the VM first"};
    }
    // Without its record, a file that comes back would be nobody's.
    if (force == Force::No && record.has_disk() && !record.is_half() && kernel_.files.size(key).bytes() == 0) {
        throw Error{ErrorCode::HostLacks,
                    "its copy-on-write file is not there, and may come back; an administrator can destroy it"};
    }
    const auto gone = in_phase(record, Phase::Destroying);
    parts_.assembly.take_apart(gone);
    parts_.assembly.follow_forwarding();
    kernel_.files.remove(key);
    parts_.quota.set_allocated(key, ByteSize{});
    parts_.journal.remove(key);
    close_name_servers();
}

void Sandboxes::begin_clone(const SandboxKey& from, const SandboxKey& to)
{
    const auto record = find(from);
    check_new(to, Disk::Yes);
    if (!record.has_disk()) {
        throw Error{ErrorCode::InvalidArgument, "this sandbox was created without a disk"};
    }
    const auto size = parts_.quota.allocated(from);
    parts_.quota.check(to.uid, {.sandboxes = 1, .bytes = size});
    auto clone = record;
    clone.key = to;
    clone.slot = free_slot();
    clone.phase = Phase::Making;
    clone.network = false;
    clone.nat = Nat::Off;
    clone.name.clear();
    parts_.journal.save(clone);
    Rollback undo;
    undo.add([&] { parts_.journal.remove(to); });
    if (record.phase == Phase::Running && !is_held(from)) {
        kernel_.mapper.suspend(from);
        paused_.insert(from);
    }
    undo.commit();
    parts_.quota.set_allocated(to, size);
    cloning_.insert({from, to});
}

void Sandboxes::end_clone(const SandboxKey& from, const SandboxKey& to, Copy copy)
{
    cloning_.erase(from);
    cloning_.erase(to);
    Rollback undo;
    undo.add([&] {
        kernel_.files.remove(to);
        parts_.quota.set_allocated(to, ByteSize{});
        parts_.journal.remove(to);
    });
    if (paused_.erase(from) > 0) {
        kernel_.mapper.resume(from);  // should it fail, Caretaker lets it go on
    }
    const auto* source = parts_.journal.find(from);
    if (source != nullptr && source->is_left() && source->phase != Phase::Stopped) {
        tear_down(SandboxRecord{*source});  // put away meanwhile, when it could not be stopped
    }
    if (copy == Copy::Whole) {
        in_phase(find_of_user(to), Phase::Stopped);
        undo.commit();
    }
}

/// By Caretaker, which lets it go on when there is room.
bool Sandboxes::is_held(const SandboxKey& key)
{
    const auto status = kernel_.mapper.status(key);
    return status && status->held;
}

std::vector<SandboxView> Sandboxes::list(std::optional<uid_t> uid)
{
    std::vector<SandboxView> views;
    for (const auto& [key, record] : parts_.journal.records()) {
        if (!uid || (key.uid == *uid && !record.is_left())) {
            views.push_back(view_of(record));
        }
    }
    return views;
}

SandboxView Sandboxes::view_of(const SandboxRecord& record)
{
    SandboxView view{.record = record,
                     .disk = {},
                     .network = std::nullopt,
                     .held = false,
                     .broken = false,
                     .used = {},
                     .allocated = parts_.quota.allocated(record.key)};
    if (record.phase != Phase::Running) {
        return view;
    }
    if (record.network) {
        view.network = parts_.assembly.network_of(record);
    }
    if (record.has_disk()) {
        view.disk = dm_node(record.key);
        if (const auto status = kernel_.mapper.status(record.key)) {
            view.held = status->held && !cloning_.contains(record.key);
            view.broken = status->state != SnapshotStatus::State::Active;
            view.used = status->used;
        }
    }
    return view;
}

bool Sandboxes::any_running() const noexcept
{
    const auto& all = parts_.journal.records();
    return std::any_of(all.begin(), all.end(), [](const auto& row) { return row.second.phase == Phase::Running; });
}

const SandboxRecord& Sandboxes::find(const SandboxKey& key) const
{
    const auto& record = find_of_user(key);
    return checked(key, record.is_half() ? nullptr : &record);
}

const SandboxRecord& Sandboxes::find_of_user(const SandboxKey& key) const
{
    const auto* record = parts_.journal.find(key);
    return checked(key, record != nullptr && record->is_left() ? nullptr : record);
}

const SandboxRecord& Sandboxes::find_of_anybody(const SandboxKey& key) const
{
    return checked(key, parts_.journal.find(key));
}

const SandboxRecord& Sandboxes::checked(const SandboxKey& key, const SandboxRecord* record) const
{
    if (record == nullptr) {
        throw Error{ErrorCode::NotFound, "you have no sandbox " + key.id.str()};
    }
    if (cloning_.contains(key)) {
        throw Error{ErrorCode::InUse, "the sandbox is being cloned"};
    }
    return *record;
}

void Sandboxes::check_new(const SandboxKey& key, Disk disk) const
{
    if (parts_.journal.find(key) != nullptr || parts_.journal.is_damaged(key)) {
        throw Error{ErrorCode::AlreadyExists, "there is a sandbox " + key.id.str() + " already"};
    }
    if (disk == Disk::Yes && kernel_.mapper.open_count(key)) {
        throw Error{ErrorCode::InUse, "the disk of an earlier sandbox " + key.id.str() + " is still open"};
    }
    if (disk == Disk::Yes && kernel_.files.size(key).bytes() != 0) {
        throw Error{ErrorCode::AlreadyExists,
                    "there is a disk of a sandbox " + key.id.str() + " already, whose record is missing"};
    }
}

/// Not one whose interface's name a stranger has.
std::uint32_t Sandboxes::free_slot()
{
    std::set<std::uint32_t> used;
    for (const auto& [key, record] : parts_.journal.records()) {
        used.insert(record.slot);
    }
    for (std::uint32_t slot = 0; slot < parts_.config.pool.slots(); ++slot) {
        if (!used.contains(slot) && !kernel_.taps.is_taken("bgr" + std::to_string(slot))) {
            return slot;
        }
    }
    throw Error{ErrorCode::QuotaExceeded, "no address is left; address_pool in /etc/banger/broker.toml is too small"};
}

SandboxRecord Sandboxes::in_phase(SandboxRecord record, Phase phase)
{
    record.phase = phase;
    parts_.journal.save(record);
    return record;
}

}  // namespace banger::broker
