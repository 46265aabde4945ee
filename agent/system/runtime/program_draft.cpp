// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/program_draft.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/system/runtime/program_record.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr auto program_limit = 64 * mib;  // Firecracker has 3 MiB

void sync_folder(const std::filesystem::path& folder)
{
    const UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) < 0) {
        throw errno_error("can't write to " + folder.string(), errno);
    }
}

}  // namespace

ProgramDraft::ProgramDraft(std::filesystem::path file, const BundledProgram& program)
    : file_{std::move(file)}, program_{&program}, writer_{file_, program_limit, program.name}
{
}

ProgramDraft::~ProgramDraft() { ::unlink(file_.c_str()); }

void ProgramDraft::add(std::span<const std::uint8_t> bytes)
{
    writer_.add(bytes);
    sum_.add(bytes);
}

void ProgramDraft::put(const std::filesystem::path& place, const std::string& origin)
{
    const auto digest = sum_.finish();
    if (digest != program_->sha256) {
        throw Error{ErrorCode::CorruptData, "its " + program_->name + " has the sha256 " + digest.str() + " and not " +
                                                program_->sha256.str() + ", so it was removed"};
    }
    struct stat status {};
    if (::fsync(writer_.fd()) < 0 || ::fchmod(writer_.fd(), 0755) < 0 || ::fstat(writer_.fd(), &status) < 0) {
        throw errno_error("can't write " + place.string(), errno);
    }
    writer_.close();  // before it has its name: what is open for writing can't be run (ETXTBSY)
    // The record first: it holds from the moment on which the rename makes the program the one it speaks of.
    write_record(place, {.sha256 = digest, .origin = origin, .file = identity_of(status)});
    if (::rename(file_.c_str(), place.c_str()) < 0) {
        throw errno_error("can't write " + place.string(), errno);
    }
    sync_folder(place.parent_path());
}

}  // namespace banger::agent
