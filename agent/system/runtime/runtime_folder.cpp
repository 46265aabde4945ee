// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/runtime_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "agent/core/own_path.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/system/runtime/program_record.hpp"
#include "agent/system/runtime/runtime_fetch.hpp"
#include "agent/system/runtime/runtime_lock.hpp"
#include "agent/system/sha256.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto mend = "; `banger runtime fetch` gets it";

/// Why the program or its record may have come from somebody else, or may yet change; empty when neither.
std::string doubt_about(const std::filesystem::path& folder, const std::filesystem::path& program)
{
    try {
        for (const auto& path : {folder, program.parent_path(), program, record_of(program)}) {
            check_is_own(path);
        }
        return {};
    } catch (const Error& error) {
        return std::string{"is not to be trusted: "} + error.what();
    }
}

}  // namespace

RuntimeProgram RuntimeFolder::look_at(const RuntimeBundle& bundle, const BundledProgram& program) const
{
    const auto folder = folder_();
    RuntimeProgram found{.name = program.name,
                         .version = program.version,
                         .path = folder / bundle.version / program.name,
                         .state = RuntimeState::Damaged,
                         .origin = {},
                         .problem = {}};
    struct stat status {};
    if (::lstat(found.path.c_str(), &status) < 0) {
        found.state = errno == ENOENT || errno == ENOTDIR ? RuntimeState::Missing : RuntimeState::Damaged;
        found.problem = found.state == RuntimeState::Missing
                            ? "is not there"
                            : "can't be looked at: " + std::error_code{errno, std::generic_category()}.message();
        return found;
    }
    const auto record = read_record(found.path);
    if (!S_ISREG(status.st_mode) || !record || record->file != identity_of(status)) {
        found.problem = "is not the file that was checked when it was put there";
    } else if (record->sha256 != program.sha256) {
        found.problem = "is another one than this banger's";
    } else if (auto doubt = doubt_about(folder, found.path); !doubt.empty()) {
        found.problem = std::move(doubt);
    } else if (::access(found.path.c_str(), X_OK) < 0) {
        found.problem = "may not be run: its mode or its file system (noexec) forbids it";
    } else {
        found.state = RuntimeState::Ok;
    }
    found.origin = record ? record->origin : "";
    return found;
}

/// The bundle's rows, and those of the manifest's programs that it doesn't have. With a bundle that has Firecracker nobody misses them.
std::vector<RuntimeProgram> RuntimeFolder::with_programs_beside(
    std::vector<RuntimeProgram> rows,
    const std::function<RuntimeProgram(const RuntimeBundle&, const BundledProgram&)>& look) const
{
    const auto bundle = manifest_();
    const auto bundled = rows;
    const auto has = [&bundled](std::string_view name) {
        return std::any_of(bundled.begin(), bundled.end(), [name](const auto& row) { return row.name == name; });
    };
    for (const auto& program : bundle.programs) {
        if (has(program.name)) {
            continue;
        }
        auto row = look(bundle, program);
        if (row.state != RuntimeState::Missing || !has(bundle_part::firecracker)) {
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::vector<RuntimeProgram> RuntimeFolder::list() const
{
    return with_programs_beside(
        bundles_ != nullptr ? bundles_->list() : std::vector<RuntimeProgram>{},
        [this](const RuntimeBundle& bundle, const BundledProgram& program) { return look_at(bundle, program); });
}

std::filesystem::path RuntimeFolder::find(std::string_view name) const
{
    std::optional<Error> damage;
    try {
        if (auto bundled = bundles_ != nullptr ? bundles_->file_of(name, {}) : std::nullopt) {
            return std::move(*bundled);
        }
    } catch (const Error& error) {
        damage = error;  // the one that was fetched by itself may do
    }
    const auto bundle = manifest_();
    for (const auto& pinned : bundle.programs) {
        if (pinned.name != name) {
            continue;
        }
        auto program = look_at(bundle, pinned);
        if (program.state != RuntimeState::Ok && damage) {
            throw Error{ErrorCode::HostLacks, damage->what()};
        }
        if (program.state != RuntimeState::Ok) {
            throw Error{ErrorCode::HostLacks, program.path.string() + " " + program.problem + mend};
        }
        return std::move(program.path);
    }
    throw Error{ErrorCode::InvalidArgument, "no program \"" + shown(name) + "\" is in the runtime bundle"};
}

std::vector<RuntimeProgram> RuntimeFolder::verify(const std::stop_token& stop) const
{
    return with_programs_beside(
        bundles_ != nullptr ? bundles_->verify(stop) : std::vector<RuntimeProgram>{},
        [&](const RuntimeBundle& bundle, const BundledProgram& program) {
            auto found = look_at(bundle, program);
            if (found.state != RuntimeState::Ok) {
                return found;
            }
            if (const auto digest = sha256_of_file(found.path, stop); digest != program.sha256) {
                found.state = RuntimeState::Damaged;
                found.problem = "has the sha256 " + digest.str() + " and not " + program.sha256.str();
            }
            return found;
        });
}

bool RuntimeFolder::has_bundled_firecracker(const std::stop_token& stop) const
{
    try {
        return bundles_->file_of(bundle_part::firecracker, stop).has_value();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled) {
            throw;
        }
        return false;
    }
}

FetchOutcome RuntimeFolder::fetch(const std::filesystem::path& from, const RuntimeProgress& progress)
{
    const auto bundle = manifest_();
    if (from.empty() && bundles_ != nullptr) {
        if (bundle.archive) {
            return bundles_->fetch(*bundle.archive, progress);
        }
        if (has_bundled_firecracker(progress.stop)) {
            return {};
        }
    }
    const auto folder = folder_();
    for (const auto& place : {folder, folder / bundle.version}) {
        make_private_folder(place);
        check_is_own(place);
    }
    const RuntimeLock lock{folder};
    const auto scratch = folder / ".new";
    // What a bangerd that was killed left there.
    std::filesystem::remove_all(scratch);
    make_private_folder(scratch);
    Rollback clear;
    clear.add([&scratch] {
        std::error_code none;
        std::filesystem::remove_all(scratch, none);
    });
    RuntimeFetch fetch{bundle, folder / bundle.version, scratch, progress};
    return from.empty() ? fetch.from_sources() : fetch.from_local(from);
}

}  // namespace banger::agent
