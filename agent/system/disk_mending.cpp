// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/disk_mending.hpp"

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"

namespace banger::agent {

void mend_disk(const std::filesystem::path& disk, const std::filesystem::path& shown, const Confine& confine,
               const std::filesystem::path& log, const std::stop_token& stop)
{
    const auto name = disk.filename().string();
    const auto checked =
        run_program({.argv = confined(confine, {.write = {name}}, {find_program("e2fsck").string(), "-f", "-p", name}),
                     .directory = disk.parent_path(),
                     .log = log,
                     .stop = stop});
    if (checked.exit_code == not_confined) {
        throw Error{ErrorCode::HostLacks, "e2fsck can't be started: " + checked.tail};
    }
    // e2fsck(8): 0 is clean, 1 mended; more is for people.
    if (checked.exit_code != 0 && checked.exit_code != 1) {
        throw Error{ErrorCode::CorruptData,
                    "the disk's file system has errors; e2fsck -f " + shown.string() + " mends them: " + checked.tail};
    }
}

}  // namespace banger::agent
