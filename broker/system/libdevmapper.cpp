// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/libdevmapper.hpp"

#include <libdevmapper.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>

#include "broker/system/dm_text.hpp"
#include "broker/system/udev_cookie.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::broker {
namespace {

using Task = c_ptr<dm_task, dm_task_destroy>;

std::string uuid_of(const SandboxKey& key) { return "BANGER-" + key.str(); }

[[gnu::format(printf, 5, 6)]] void to_log(int, const char*, int, int, const char* format, ...) noexcept
{
    std::array<char, 512> text{};
    va_list rest;
    va_start(rest, format);
    std::vsnprintf(text.data(), text.size(), format, rest);
    va_end(rest);
    spdlog::debug("libdevmapper: {}", text.data());  // catches what it throws itself
}

Task make_task(int type)
{
    Task task{dm_task_create(type)};
    if (!task) {
        throw Error{ErrorCode::HostLacks, "the kernel has no device-mapper: /dev/mapper/control is missing"};
    }
    return task;
}

Task task_for(int type, const SandboxKey& key)
{
    auto task = make_task(type);
    if (dm_task_set_uuid(task.get(), uuid_of(key).c_str()) == 0) {
        throw Error{ErrorCode::Internal, "device-mapper refuses a UUID of ours"};
    }
    return task;
}

[[noreturn]] void refuse(dm_task* task, const std::string& sentence)
{
    const int error = dm_task_get_errno(task);
    if (::access("/dev/mapper/control", F_OK) != 0) {
        throw errno_error("the kernel has no device-mapper", error, ErrorCode::HostLacks);
    }
    if (error == 0) {  // of the steps that making a node is, the library keeps none
        throw Error{ErrorCode::Failed, sentence + "; the kernel's log says why"};
    }
    throw errno_error(sentence, error, error == ENXIO ? ErrorCode::NotFound : ErrorCode::Failed);
}

/// What the kernel knows of a node; nullopt: there is none.
std::optional<dm_info> info_of(dm_task* task, const SandboxKey& key)
{
    dm_info info{};
    if (dm_task_run(task) == 0) {
        if (dm_task_get_errno(task) == ENXIO) {
            return std::nullopt;
        }
        refuse(task, "device-mapper says nothing of " + key.mark());
    }
    if (dm_task_get_info(task, &info) == 0 || info.exists == 0) {
        return std::nullopt;
    }
    return info;
}

std::optional<dm_info> info_of(const SandboxKey& key)
{
    const auto task = task_for(DM_DEVICE_INFO, key);
    return info_of(task.get(), key);
}

bool is_name_used(const SandboxKey& key)
{
    const auto task = make_task(DM_DEVICE_INFO);
    dm_info info{};
    return dm_task_set_name(task.get(), key.mark().c_str()) != 0 && dm_task_run(task.get()) != 0 &&
           dm_task_get_info(task.get(), &info) != 0 && info.exists != 0;
}

struct Target {
    dm_info info;
    std::string text;
};

/// The parameters of a node's one target; nullopt: there is none, or it is on its way out.
std::optional<Target> target_of(int type, const SandboxKey& key)
{
    const auto task = task_for(type, key);
    dm_task_no_flush(task.get());
    const auto info = info_of(task.get(), key);
    if (!info || info->deferred_remove != 0 || info->live_table == 0) {
        return std::nullopt;
    }
    std::uint64_t start = 0;
    std::uint64_t length = 0;
    char* kind = nullptr;
    char* text = nullptr;
    dm_get_next_target(task.get(), nullptr, &start, &length, &kind, &text);
    if (kind == nullptr || text == nullptr || std::strcmp(kind, "snapshot") != 0) {
        throw Error{ErrorCode::Failed, key.mark() + " is no snapshot"};
    }
    return Target{*info, text};
}

/// The next table of a node, in which every read and write fails. Of one sector: what the page cache has beyond a disk's end nobody can read.
/// None: it has no table now, so nothing can be read of it.
Task failing_table_for(const SandboxKey& key)
{
    const auto current = task_for(DM_DEVICE_TABLE, key);
    dm_task_no_flush(current.get());
    std::uint64_t start = 0;
    std::uint64_t length = 0;
    char* kind = nullptr;
    char* text = nullptr;
    if (info_of(current.get(), key)) {
        dm_get_next_target(current.get(), nullptr, &start, &length, &kind, &text);
    }
    if (length == 0) {
        return nullptr;
    }
    auto task = task_for(DM_DEVICE_RELOAD, key);
    if (dm_task_add_target(task.get(), 0, 1, "error", "") == 0) {
        throw Error{ErrorCode::Internal, "device-mapper refuses a table of ours"};
    }
    return task;
}

/// The kernel's change, then udev's part of it. False: udev does not answer.
bool run_with_udev(const Task& task, const std::string& sentence)
{
    UdevCookie cookie{task.get()};
    const bool done = dm_task_run(task.get()) != 0;
    const bool told = cookie.wait();
    if (!done) {
        refuse(task.get(), sentence);
    }
    return told;
}

bool has_node(const SandboxKey& key)
{
    const auto info = info_of(key);
    struct stat status {};
    return info && ::stat(dm_node(key).c_str(), &status) == 0 && S_ISBLK(status.st_mode) &&
           status.st_rdev == ::makedev(info->major, info->minor);
}

bool has_snapshot_target()
{
    const auto task = make_task(DM_DEVICE_LIST_VERSIONS);
    if (dm_task_run(task.get()) == 0) {
        return true;
    }
    const auto* at = dm_task_get_versions(task.get());
    for (std::uint32_t next = 1; at != nullptr && next != 0;) {
        if (std::strcmp(at->name, "snapshot") == 0) {
            return true;
        }
        next = at->next;
        at = reinterpret_cast<const dm_versions*>(reinterpret_cast<const char*>(at) + next);
    }
    return false;
}

class NodeOfUdev final : public NewNode {
public:
    NodeOfUdev(SandboxKey key, dm_task* task) : key_{std::move(key)}, cookie_{task} {}

    void wait() override
    {
        if (!cookie_.wait() || !has_node(key_)) {
            throw Error{ErrorCode::HostLacks, "udev did not make " + dm_node(key_)};
        }
    }

private:
    SandboxKey key_;
    UdevCookie cookie_;
};

/// Why a name or UUID could not be had, if that was it.
void explain(const SandboxKey& key)
{
    if (info_of(key)) {
        throw Error{ErrorCode::InUse, "the disk of last time is still held open"};
    }
    if (is_name_used(key)) {
        throw Error{ErrorCode::AlreadyExists, "there is a device " + key.mark() + " already, and it is not banger's"};
    }
    if (!has_snapshot_target()) {
        throw Error{ErrorCode::HostLacks, "the kernel has no dm-snapshot"};
    }
}

}  // namespace

LibDevmapper::LibDevmapper()
{
    dm_log_with_errno_init(to_log);
    dm_log_init_verbose(0);
    dm_udev_set_checking(0);  // else the library makes nodes where udev is late
}

std::unique_ptr<NewNode> LibDevmapper::create(const SandboxKey& key, ByteSize size, BlockDevice base, BlockDevice cow)
{
    explain(key);
    const auto task = task_for(DM_DEVICE_CREATE, key);
    if (dm_task_set_name(task.get(), key.mark().c_str()) == 0 ||
        dm_task_add_target(task.get(), 0, size.bytes() / sector, "snapshot", snapshot_table(base, cow).c_str()) == 0) {
        throw Error{ErrorCode::Internal, "device-mapper refuses a table of ours"};
    }
    auto node = std::make_unique<NodeOfUdev>(key, task.get());
    if (dm_task_run(task.get()) == 0) {
        explain(key);
        refuse(task.get(), "can't make the disk");
    }
    return node;
}

std::optional<unsigned> LibDevmapper::open_count(const SandboxKey& key)
{
    const auto info = info_of(key);
    return info ? std::optional{static_cast<unsigned>(info->open_count)} : std::nullopt;
}

Removal LibDevmapper::remove(const SandboxKey& key)
{
    const auto info = info_of(key);
    if (!info) {
        return Removal::Absent;
    }
    if (info->suspended != 0) {
        resume(key);  // who waits in it would never close it
    }
    const auto task = task_for(DM_DEVICE_REMOVE, key);
    dm_task_deferred_remove(task.get());
    try {
        run_with_udev(task, "can't remove the disk");
    } catch (const Error& failure) {
        if (failure.code() != ErrorCode::NotFound) {
            throw;
        }
    }
    if (!info_of(key)) {
        return Removal::Removed;
    }
    cut_off(key);
    return info_of(key) ? Removal::Busy : Removal::Removed;
}

/// Of a node that somebody holds open although its sandbox has ended: who does may be the uid's next user.
void LibDevmapper::cut_off(const SandboxKey& key)
{
    try {
        const auto task = failing_table_for(key);
        if (!task) {
            return;
        }
        if (dm_task_run(task.get()) == 0) {
            refuse(task.get(), "can't cut the disk off");
        }
        suspend(key);
        resume(key);
    } catch (const Error& failure) {
        if (failure.code() != ErrorCode::NotFound) {  // closed, and so gone, in between
            throw;
        }
    }
}

std::optional<SnapshotStatus> LibDevmapper::status(const SandboxKey& key)
{
    const auto target = target_of(DM_DEVICE_STATUS, key);
    return target ? std::optional{parse_snapshot_status(target->text, target->info.suspended != 0)} : std::nullopt;
}

std::optional<BlockDevice> LibDevmapper::cow_of(const SandboxKey& key)
{
    const auto target = target_of(DM_DEVICE_TABLE, key);
    return target ? std::optional{parse_snapshot_cow(target->text)} : std::nullopt;
}

void LibDevmapper::suspend(const SandboxKey& key)
{
    const auto task = task_for(DM_DEVICE_SUSPEND, key);
    // Locking a file system is what would write the page cache of a node without one, too (block/bdev.c, freeze_bdev).
    dm_task_skip_lockfs(task.get());
    dm_task_no_flush(task.get());
    if (dm_task_run(task.get()) == 0) {
        refuse(task.get(), "can't hold the disk");
    }
}

void LibDevmapper::resume(const SandboxKey& key)
{
    const auto task = task_for(DM_DEVICE_RESUME, key);
    run_with_udev(task, "can't let the disk go on");
}

std::vector<SandboxKey> LibDevmapper::list()
{
    const auto task = make_task(DM_DEVICE_LIST);
    if (dm_task_run(task.get()) == 0) {
        refuse(task.get(), "device-mapper does not list its nodes");
    }
    std::vector<SandboxKey> keys;
    const auto* at = dm_task_get_names(task.get());
    for (std::uint32_t next = at != nullptr && at->dev != 0 ? 1 : 0; next != 0;) {
        const std::string_view name{at->name};
        if (name.starts_with(SandboxKey::mark_prefix)) {
            try {
                const auto key = SandboxKey::parse_mark(name);
                const auto info = info_of(key);
                if (info && info->deferred_remove == 0) {
                    keys.push_back(key);
                }
            } catch (const Error& failure) {
                if (failure.code() != ErrorCode::InvalidArgument) {
                    throw;
                }
            }
        }
        next = at->next;
        at = reinterpret_cast<const dm_names*>(reinterpret_cast<const char*>(at) + next);
    }
    return keys;
}

}  // namespace banger::broker
