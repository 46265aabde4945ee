// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/artifact_draft.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "agent/system/image/user_namespace.hpp"
#include "common/error.hpp"
#include "common/file_lock.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

/// In the folder while it is being made.
constexpr auto draft_lock = ".lock";

std::mutex drafts_guard;

/// Those that threads of this process have.
std::set<fs::path>& claimed_drafts()
{
    static std::set<fs::path> folders;
    return folders;
}

/// Those that are made and not taken in yet.
std::map<fs::path, std::unique_ptr<DraftClaim>>& kept_drafts()
{
    claimed_drafts();  // made first, to be there at their end
    static std::map<fs::path, std::unique_ptr<DraftClaim>> folders;
    return folders;
}

std::unique_ptr<DraftClaim> claim_anew(const fs::path& folder)
{
    forget_draft(folder);  // whoever kept it would have taken it in by now
    return std::make_unique<DraftClaim>(folder);
}

/// Whether a lock that was got is on the file that is there now: its folder may have been removed, and made anew by somebody else, since it was opened.
bool is_lock_at(const UniqueFd& lock, const fs::path& file)
{
    struct stat held {};
    struct stat there {};
    return ::fstat(lock.get(), &held) == 0 && ::stat(file.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
           held.st_ino == there.st_ino;
}

}  // namespace

void sync_to_disk(const fs::path& path)
{
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) < 0) {
        throw errno_error("can't write " + path.string(), errno);
    }
}

bool discard_draft(const fs::path& folder) noexcept
{
    try {
        const DraftClaim claim{folder};
        return claim && claim.clear();
    } catch (const std::exception&) {
        return false;  // the next start tries again
    }
}

void forget_draft(const fs::path& folder) noexcept
{
    decltype(kept_drafts().extract(folder)) claim;  // whose end takes the guard, too
    const std::lock_guard guard{drafts_guard};
    claim = kept_drafts().extract(folder.lexically_normal());
}

void release_draft(const fs::path& folder, const fs::path& artifact) noexcept
{
    std::error_code none;
    fs::remove(artifact / draft_lock, none);
    forget_draft(folder);
}

DraftClaim::DraftClaim(const fs::path& folder) : folder_{folder.lexically_normal()}
{
    const std::lock_guard guard{drafts_guard};
    held_ = claimed_drafts().insert(folder_).second;
}

/// The file first: closing it later would take the lock from who got the folder meanwhile.
DraftClaim::~DraftClaim()
{
    lock_.reset();
    if (held_) {
        const std::lock_guard guard{drafts_guard};
        claimed_drafts().erase(folder_);
    }
}

bool DraftClaim::clear() const
{
    std::optional<UniqueFd> lock;
    UniqueFd folder;
    const auto file = folder_ / draft_lock;
    std::error_code none;
    // One without it is made by nobody; and to make the file for that would take room, which may be what is to be had again.
    if (fs::exists(file, none)) {
        lock = lock_file(file.string(), std::chrono::seconds{0});
        if (!lock || !is_lock_at(*lock, file)) {
            return false;
        }
    } else if (fs::is_directory(folder_, none)) {
        // As 0.1.0 locked it; and of two who clear the same one, the slower would else remove what the quicker makes there.
        folder = UniqueFd{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        const bool is_ours = folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0 && is_lock_at(folder, folder_);
        if (!is_ours || fs::exists(file, none)) {
            return false;
        }
    }
    remove_tree(folder_);
    if (fs::exists(folder_, none)) {
        throw Error{ErrorCode::Failed,
                    "can't remove " + folder_.string() + ", which a making that was cut off has left"};
    }
    return true;
}

/// It comes into its place with the lock in it, or who looks for drafts in between would take it for one that nobody makes.
bool DraftClaim::make()
{
    auto fresh = folder_;
    fresh += "+" + std::to_string(::getpid());  // no artifact's name has a '+'
    const DraftClaim passing{fresh};
    if (!passing || !passing.clear()) {
        return false;
    }
    Rollback no_leftovers;
    no_leftovers.add([&fresh] { remove_tree(fresh); });
    fs::create_directories(fresh);
    auto lock = lock_file((fresh / draft_lock).string(), std::chrono::seconds{0});
    if (!lock) {
        return false;
    }
    std::error_code problem;
    fs::rename(fresh, folder_, problem);
    if (problem == std::errc::directory_not_empty || problem == std::errc::file_exists) {
        return false;
    }
    if (problem) {
        throw errno_error("can't make " + folder_.string(), problem.value());
    }
    no_leftovers.commit();
    lock_ = std::move(*lock);
    return true;
}

ArtifactDraft::ArtifactDraft(const fs::path& folder) : folder_{folder}, claim_{claim_anew(folder)}
{
    if (!*claim_ || !claim_->clear() || !claim_->make()) {
        throw Error{ErrorCode::InUse, "another bangerd of yours makes " + folder_.string() + "; wait for it"};
    }
    Rollback clear;
    clear.add([this] { remove_tree(folder_); });
    fs::create_directories(scratch());
    clear.commit();
}

ArtifactDraft::~ArtifactDraft()
{
    if (claim_) {
        remove_tree(folder_);
    }
}

void ArtifactDraft::drop_scratch() const noexcept { remove_tree(scratch()); }

void ArtifactDraft::keep()
{
    using fs::perms;
    drop_scratch();
    for (const auto& entry : fs::directory_iterator{folder_}) {
        if (entry.path().filename() == draft_lock) {
            continue;  // to open it and close it again would free the lock
        }
        fs::permissions(entry.path(), perms::owner_read | perms::group_read | perms::others_read);
        sync_to_disk(entry.path());
    }
    sync_to_disk(folder_);
    const std::lock_guard guard{drafts_guard};
    kept_drafts()[folder_.lexically_normal()] = std::move(claim_);
}

}  // namespace banger::agent
