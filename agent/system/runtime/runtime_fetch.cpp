// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/runtime_fetch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "agent/core/own_path.hpp"
#include "agent/system/runtime/archive_member.hpp"
#include "agent/system/runtime/local_candidates.hpp"
#include "agent/system/runtime/program_draft.hpp"
#include "agent/system/runtime/program_record.hpp"
#include "agent/system/sha256.hpp"

namespace banger::agent {
namespace {

/// What no other source can mend.
bool ends_a_fetch(const Error& error)
{
    return error.code() == ErrorCode::Cancelled || error.code() == ErrorCode::NoSpace;
}

void copy_file(const std::filesystem::path& file, ProgramDraft& draft)
{
    constexpr std::size_t block_size = std::size_t{64} << 10U;
    const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd) {
        throw errno_error("can't read " + file.string(), errno);
    }
    std::vector<std::uint8_t> block(block_size);
    for (;;) {
        const auto got = ::read(fd.get(), block.data(), block.size());
        if (got < 0 && errno != EINTR) {
            throw errno_error("can't read " + file.string(), errno);
        }
        if (got == 0) {
            return;
        }
        draft.add({block.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
    }
}

/// The program that a single file of the user's is, by its checksum alone.
const BundledProgram& recognised(const RuntimeBundle& bundle, const std::filesystem::path& file, const Digest& digest)
{
    std::string wanted;
    for (const auto& program : bundle.programs) {
        if (program.sha256 == digest) {
            return program;
        }
        wanted += (wanted.empty() ? "" : ", ") + program.name + " " + program.version + " has " + program.sha256.str();
    }
    throw Error{ErrorCode::CorruptData, file.string() + " has the sha256 " + digest.str() + ", but " + wanted};
}

}  // namespace

RuntimeFetch::RuntimeFetch(const RuntimeBundle& bundle, std::filesystem::path folder, std::filesystem::path scratch,
                           const RuntimeProgress& progress)
    : bundle_{&bundle},
      folder_{std::move(folder)},
      scratch_{std::move(scratch)},
      progress_{&progress},
      sources_{scratch_, bundle.schemes, progress}
{
}

FetchOutcome RuntimeFetch::from_sources()
{
    for (const auto& program : bundle_->programs) {
        if (!is_there(program)) {
            fetch_program(program);
        }
    }
    return std::move(outcome_);
}

FetchOutcome RuntimeFetch::from_local(const std::filesystem::path& from)
{
    const BundledProgram* only = nullptr;
    if (std::filesystem::is_regular_file(from) && !looks_packed(from)) {
        only = &recognised(*bundle_, from, sha256_of_file(from, progress_->stop));
    }
    for (const auto& program : bundle_->programs) {
        if (is_there(program)) {
            continue;
        }
        if (only == nullptr || only == &program) {
            take_local_program(program, from);
        } else {
            outcome_.missing.push_back(program.name);
        }
    }
    if (outcome_.missing.size() == bundle_->programs.size()) {
        throw Error{ErrorCode::NotFound, from.string() + " holds nothing of the runtime bundle " + bundle_->version +
                                             ": neither a program of it nor an archive with one"};
    }
    return std::move(outcome_);
}

/// By its bytes. One whose record is gone, another's, or older than the file is taken in again, for that is cheaper than to fetch it. Throws
/// Failed when what is in its place can't be replaced.
bool RuntimeFetch::is_there(const BundledProgram& program) const
{
    progress_->stage("checking " + program.name);
    const auto place = folder_ / program.name;
    struct stat status {};
    if (::lstat(place.c_str(), &status) < 0) {
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        throw Error{ErrorCode::Failed, place.string() + " is a folder; remove it"};
    }
    const bool readable = ::faccessat(AT_FDCWD, place.c_str(), R_OK, AT_EACCESS) == 0;
    if (!S_ISREG(status.st_mode) || !readable || !is_own(place) ||
        sha256_of_file(place, progress_->stop) != program.sha256) {
        return false;
    }
    const auto record = read_record(place);
    if (::access(place.c_str(), X_OK) < 0 && ::chmod(place.c_str(), 0755) < 0) {
        return false;
    }
    if (!record || !is_own(record_of(place)) || record->sha256 != program.sha256 ||
        record->file != identity_of(status)) {
        write_record(place, {.sha256 = program.sha256, .origin = "found in its place", .file = identity_of(status)});
    }
    return true;
}

/// A wrong checksum is no end: the next source is another place, and what comes from there is checked against the same digest.
/// But it is told, for somebody may be tampering.
void RuntimeFetch::fetch_program(const BundledProgram& program)
{
    std::string failures;
    auto code = ErrorCode::Failed;
    std::vector<std::string> refusals;
    for (const auto& source : program.sources) {
        try {
            if (put(program, sources_.get(source), member_of(source), to_string(source))) {
                outcome_.fetched.push_back(program.name);
                outcome_.warnings.insert(outcome_.warnings.end(), refusals.begin(), refusals.end());
                return;
            }
            throw Error{ErrorCode::CorruptData, "there is no " + member_of(source) + " in it"};
        } catch (const Error& error) {
            if (ends_a_fetch(error)) {
                throw;
            }
            if (error.code() == ErrorCode::CorruptData) {
                code = ErrorCode::CorruptData;
                refusals.push_back(to_string(source) + ": " + error.what());
            }
            failures += "; " + to_string(source) + ": " + error.what();
        }
    }
    throw Error{code, program.name + " " + program.version + " can't be fetched" + failures +
                          "; with the archive copied here from elsewhere, `banger runtime fetch --from FILE` takes it"};
}

void RuntimeFetch::take_local_program(const BundledProgram& program, const std::filesystem::path& from)
{
    std::optional<Error> refusal;
    for (const auto& candidate : local_candidates(from, program)) {
        try {
            if (put(program, candidate.file, candidate.member, candidate.file.string())) {
                outcome_.fetched.push_back(program.name);
                return;
            }
        } catch (const Error& error) {
            if (ends_a_fetch(error)) {
                throw;
            }
            refusal = refusal ? refusal : Error{error.code(), candidate.file.string() + ": " + error.what()};
        }
    }
    if (refusal) {
        throw Error{*refusal};
    }
    outcome_.missing.push_back(program.name);
}

/// False when the archive has no such member. `member` empty: the file is the program.
bool RuntimeFetch::put(const BundledProgram& program, const std::filesystem::path& file, const std::string& member,
                       const std::string& origin) const
{
    progress_->stage("unpacking " + program.name);
    ProgramDraft draft{scratch_ / "program", program};
    if (member.empty()) {
        copy_file(file, draft);
    } else if (!read_member(
                   file, member, [&draft](auto bytes) { draft.add(bytes); }, progress_->stop)) {
        return false;
    }
    draft.put(folder_ / program.name, origin);
    return true;
}

}  // namespace banger::agent
