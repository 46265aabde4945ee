// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/runtime_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <set>

#include "common/error.hpp"
#include "common/file_lock.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

std::mutex held_guard;

std::set<std::filesystem::path>& held_folders()
{
    static std::set<std::filesystem::path> folders;
    return folders;
}

void release_folder(const std::filesystem::path& folder)
{
    const std::lock_guard guard{held_guard};
    held_folders().erase(folder);
}

}  // namespace

RuntimeLock::RuntimeLock(const std::filesystem::path& folder) : folder_{folder.lexically_normal()}
{
    {
        const std::lock_guard guard{held_guard};
        if (!held_folders().insert(folder_).second) {
            throw Error{ErrorCode::InUse, "something is being put into " + folder.string() + " already; wait for it"};
        }
    }
    Rollback release;
    release.add([this] { release_folder(folder_); });
    auto lock = lock_file(folder / bundle_lock, std::chrono::seconds{0});
    if (!lock) {
        throw Error{ErrorCode::InUse, "another bangerd of yours fetches into " + folder.string() + "; wait for it"};
    }
    file_ = std::move(*lock);
    release.commit();
}

/// The file first: closing it later would take the lock from who got the folder meanwhile.
RuntimeLock::~RuntimeLock()
{
    file_.reset();
    release_folder(folder_);
}

}  // namespace banger::agent
