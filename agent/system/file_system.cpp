// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/file_system.hpp"

#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>

#include "common/size.hpp"

namespace banger::agent {
namespace {

// statfs(2), linux/magic.h: NFS, SMB, CIFS, SMB2, AFS, Ceph, 9P, Coda, OCFS2, GFS2.
constexpr std::array<std::uint32_t, 10> network_file_systems{
    0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x00c36400, 0x01021997, 0x73757245, 0x7461636f, 0x01161970};

}  // namespace

FilePlace place_of(const std::filesystem::path& path) noexcept
{
    struct statfs status {};
    if (::statfs(path.c_str(), &status) < 0) {
        return FilePlace::Local;
    }
    const auto kind = static_cast<std::uint32_t>(status.f_type);
    const bool known =
        std::find(network_file_systems.begin(), network_file_systems.end(), kind) != network_file_systems.end();
    return known ? FilePlace::Network : FilePlace::Local;
}

Finding finding_of_state_folder(const std::filesystem::path& state)
{
    const std::string check = "VMs' folder";
    constexpr std::uint64_t little = std::uint64_t{1} << 30U;
    struct statvfs status {};
    if (::statvfs(state.c_str(), &status) < 0) {
        return {check, "warn", state.string() + " can't be looked at", "ls -ld " + state.string()};
    }
    if ((status.f_flag & ST_RDONLY) != 0) {
        return {check, "missing", state.string() + " is read-only: no VM can be made or changed",
                "findmnt -T " + state.string()};
    }
    const ByteSize free{std::uint64_t{status.f_bavail} * status.f_frsize};
    if (free.bytes() < little) {
        return {check, "warn", state.string() + " has " + free.to_string() + " free: guests stop when that is used up",
                "df -h " + state.string()};
    }
    if (place_of(state) == FilePlace::Network) {
        return {check, "warn",
                state.string() +
                    " is on a network: disks are slow, and VMs belong to the host that has bangerd; "
                    "XDG_STATE_HOME names a local folder",
                ""};
    }
    return {check, "ok", state.string() + ", " + free.to_string() + " free", ""};
}

}  // namespace banger::agent
