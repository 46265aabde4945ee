// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include "agent/nss/scan.hpp"

namespace banger::nss {

inline constexpr off_t file_limit = 262'144;  // three thousand VMs with the longest names
inline constexpr int most_files = 8;

/// Whose files: those in RUN/USER/banger/names.
struct Place {
    const char* run;  ///< /run/user, but for tests
    uid_t user;
};

enum class Finding {
    Found,
    Absent,     ///< also where there is no file, or none to be believed
    Unreadable  ///< the process has no descriptors left, or alike: it may be there
};

struct LookUp {
    Finding finding{Finding::Absent};
    Entry entry{};
    int error{0};  ///< errno; with Unreadable alone
};

/// Asks the files that the user's bangerds have written. No file is believed that is not the user's own, or that others may write.
/// Leaves errno as it was. Bounded work; no memory but the stack (4 KiB); closes what it opens, also in a thread that is cancelled.
LookUp look_up(const Place& place, const Question& question) noexcept;

}  // namespace banger::nss
