// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/local_candidates.hpp"

#include <algorithm>

#include "agent/system/runtime/archive_member.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_archives = 64;

std::vector<fs::path> archives_in(const fs::path& folder)
{
    std::vector<fs::path> archives;
    for (const auto& entry : fs::directory_iterator{folder}) {
        const auto extension = entry.path().extension();
        const bool named_so = extension == ".tgz" || extension == ".gz" || extension == ".whl" || extension == ".zip";
        if (named_so && entry.is_regular_file() && archives.size() < most_archives) {
            archives.push_back(entry.path());
        }
    }
    std::sort(archives.begin(), archives.end());
    return archives;
}

}  // namespace

std::vector<LocalCandidate> local_candidates(const fs::path& from, const BundledProgram& program)
{
    std::vector<LocalCandidate> candidates;
    const auto add_members = [&](const fs::path& archive) {
        for (const auto& source : program.sources) {
            candidates.push_back({archive, member_of(source)});
        }
    };
    const auto status = fs::status(from);
    if (!fs::exists(status)) {
        throw Error{ErrorCode::NotFound, "there is no " + from.string()};
    }
    if (fs::is_directory(status)) {
        std::vector<fs::path> files{from / program.name};
        for (const auto& source : program.sources) {
            const fs::path member{member_of(source)};
            files.insert(files.end(), {from / member, from / member.filename()});
        }
        for (const auto& file : files) {
            if (fs::is_regular_file(file)) {
                candidates.push_back({file, ""});
            }
        }
        const auto archives = archives_in(from);
        std::for_each(archives.begin(), archives.end(), add_members);
    } else if (!fs::is_regular_file(status)) {
        throw Error{ErrorCode::InvalidArgument, from.string() + " is neither a file nor a folder"};
    } else if (looks_packed(from)) {
        add_members(from);
    } else {
        candidates.push_back({from, ""});
    }
    return candidates;
}

}  // namespace banger::agent
