// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/confine/landlock.hpp"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "common/error.hpp"

namespace banger::confine {
namespace {

// linux/landlock.h; what came after Linux 5.13 Debian 12's headers don't all have.
constexpr std::uint64_t first_rights = (1ULL << 13U) - 1;
constexpr std::uint64_t refer = 1ULL << 13U;                  // version 2
constexpr std::uint64_t truncate_file = 1ULL << 14U;          // version 3
constexpr std::uint64_t ioctl_of_device = 1ULL << 15U;        // version 5
constexpr std::uint64_t both_of_tcp = 0b11;                   // version 4: bind, connect
constexpr std::uint64_t signals_and_abstract_sockets = 0b11;  // version 6

constexpr int refer_since = 2;
constexpr int truncate_since = 3;
constexpr int tcp_since = 4;
constexpr int ioctl_since = 5;
constexpr int scope_since = 6;

struct RulesetAttributes {
    std::uint64_t files;
    std::uint64_t network;
    std::uint64_t scoped;
};

std::uint64_t file_rights_of(int version)
{
    return first_rights | (version >= refer_since ? refer : 0) | (version >= truncate_since ? truncate_file : 0) |
           (version >= ioctl_since ? ioctl_of_device : 0);
}

std::uint64_t rights_of(const Grant& grant)
{
    constexpr std::uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE;
    constexpr std::uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE;
    const std::uint64_t list = grant.is_folder ? LANDLOCK_ACCESS_FS_READ_DIR : 0;
    switch (grant.access) {
        case Access::Enter:
            return 0;  // going through a folder is not restricted
        case Access::Run:
            return LANDLOCK_ACCESS_FS_EXECUTE | read | list;
        case Access::Read:
            return read | list;
        case Access::Write:
            return read | write | truncate_file;
        case Access::Append:
            return write;
        case Access::Device:
            return read | write | ioctl_of_device;
        case Access::MakeSockets:
            return LANDLOCK_ACCESS_FS_MAKE_SOCK;  // neither links nor files: nothing to lead bangerd astray with
    }
    return 0;
}

UniqueFd make_ruleset(int version)
{
    const RulesetAttributes attributes{file_rights_of(version), version >= tcp_since ? both_of_tcp : 0,
                                       version >= scope_since ? signals_and_abstract_sockets : 0};
    // A kernel refuses what is longer than it knows.
    const std::size_t numbers = version >= scope_since ? 3 : version >= tcp_since ? 2 : 1;
    UniqueFd ruleset{
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, numbers * sizeof(std::uint64_t), 0))};
    if (!ruleset) {
        throw errno_error("can't make rules for Landlock", errno);
    }
    return ruleset;
}

}  // namespace

int landlock_version()
{
    const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? static_cast<int>(version) : 0;  // ENOSYS; EOPNOTSUPP: not in the kernel's parameter lsm=
}

void restrict_files(const std::vector<Grant>& grants)
{
    const int version = landlock_version();
    if (version == 0) {
        return;
    }
    const auto ruleset = make_ruleset(version);
    for (const auto& grant : grants) {
        landlock_path_beneath_attr rule{};
        rule.allowed_access = rights_of(grant) & file_rights_of(version);
        rule.parent_fd = grant.file.get();
        if (rule.allowed_access != 0 &&
            ::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
            throw errno_error("Landlock takes no rule for " + grant.at.string(), errno);
        }
    }
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) < 0) {
        throw errno_error("Landlock's rules can't be put in force", errno);
    }
}

}  // namespace banger::confine
