// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/runtime_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/system/runtime/program_record.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto mend = "; `banger runtime fetch` gets it";

}  // namespace

RuntimeProgram RuntimeFolder::look_at(const RuntimeBundle& bundle, const BundledProgram& program) const
{
    RuntimeProgram found{.name = program.name,
                         .version = program.version,
                         .path = folder_ / bundle.version / program.name,
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

std::vector<RuntimeProgram> RuntimeFolder::verify(const std::stop_token&) const { return list(); }

FetchOutcome RuntimeFolder::fetch(const std::filesystem::path&, const RuntimeProgress&)
{
    throw Error{ErrorCode::Unavailable, "not yet"};
}

}  // namespace banger::agent
