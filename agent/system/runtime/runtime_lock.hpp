// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "common/unique_fd.hpp"

namespace banger::agent {

inline constexpr auto bundle_lock = ".lock";

/// FOLDER/.lock, held as long as this is there: several of a user's bangerds may share one folder. And within this process, of which the
/// kernel would think as one.
class RuntimeLock {
public:
    /// Throws InUse (somebody has it), Failed.
    explicit RuntimeLock(const std::filesystem::path& folder);
    RuntimeLock(const RuntimeLock&) = delete;
    RuntimeLock& operator=(const RuntimeLock&) = delete;
    ~RuntimeLock();

private:
    std::filesystem::path folder_;
    UniqueFd file_;
};

}  // namespace banger::agent
