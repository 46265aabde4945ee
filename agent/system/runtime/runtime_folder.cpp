// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/runtime_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/core/own_path.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/system/runtime/program_record.hpp"
#include "agent/system/runtime/runtime_fetch.hpp"
#include "agent/system/sha256.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr auto mend = "; `banger runtime fetch` gets it";

/// Held while a fetch runs: several of a user's bangerds may share one cache. Not flock(2), which a child would hold on.
UniqueFd lock_folder(const std::filesystem::path& folder)
{
    UniqueFd file{::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (file && ::fcntl(file.get(), F_SETLK, &whole) == 0) {
        return file;
    }
    if (file && (errno == EACCES || errno == EAGAIN)) {
        throw Error{ErrorCode::InUse, "another bangerd of yours fetches into " + folder.string() + "; wait for it"};
    }
    throw errno_error("can't lock " + folder.string(), errno);
}

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

std::vector<RuntimeProgram> RuntimeFolder::list() const
{
    const auto bundle = manifest_();
    std::vector<RuntimeProgram> programs;
    for (const auto& program : bundle.programs) {
        programs.push_back(look_at(bundle, program));
    }
    return programs;
}

std::filesystem::path RuntimeFolder::find(std::string_view name) const
{
    for (auto& program : list()) {
        if (program.name != name) {
            continue;
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
    const auto bundle = manifest_();
    std::vector<RuntimeProgram> programs;
    for (const auto& program : bundle.programs) {
        auto& found = programs.emplace_back(look_at(bundle, program));
        if (found.state != RuntimeState::Ok) {
            continue;
        }
        if (const auto digest = sha256_of_file(found.path, stop); digest != program.sha256) {
            found.state = RuntimeState::Damaged;
            found.problem = "has the sha256 " + digest.str() + " and not " + program.sha256.str();
        }
    }
    return programs;
}

FetchOutcome RuntimeFolder::fetch(const std::filesystem::path& from, const RuntimeProgress& progress)
{
    const auto bundle = manifest_();
    const auto folder = folder_();
    for (const auto& place : {folder, folder / bundle.version}) {
        make_private_folder(place);
        check_is_own(place);
    }
    const auto lock = lock_folder(folder);
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
