// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_guards.hpp"

#include <fstream>

#include "agent/system/subprocess.hpp"
#include "common/denial.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

std::string first_line_of(const std::filesystem::path& file)
{
    std::ifstream stream{file};
    std::string line;
    std::getline(stream, line);
    return line.substr(0, line.find('\0'));
}

constexpr std::size_t longest_word = 300;

/// apparmor(7), selinux(8): the profile or context that holds this process.
std::string profile_of_ours(const std::filesystem::path& root)
{
    return shown(first_line_of(root / "proc/self/attr/current"));
}

}  // namespace

Finding finding_of_confinement(const std::filesystem::path& program)
{
    const std::string check = "VMM's view";
    if (program.empty()) {
        return {check, "missing", "banger-confine is not beside bangerd, so no VM starts",
                "apt install --reinstall banger"};
    }
    try {
        const auto result = run_program({.argv = {program.string(), "--check"}});
        auto said = result.tail;
        while (said.ends_with('\n')) {
            said.pop_back();
        }
        return result.ok() ? Finding{check, "ok", "its own VM's files alone: " + shown(said, longest_word), ""}
                           : Finding{check, "warn",
                                     "a VMM may read this user's files: " + shown(said, longest_word) +
                                         "; a kernel from 5.13 has Landlock, unless its parameter lsm= leaves it out",
                                     ""};
    } catch (const Error& error) {
        return {check, "missing", std::string{"no VM starts: "} + error.what(), "apt install --reinstall banger"};
    }
}

Finding finding_of_access_control(const std::filesystem::path& root)
{
    const std::string check = "access control";
    if (first_line_of(root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1") {
        return {check, "warn",
                "AppArmor gives users no rights in their namespaces: images can't be built, and Firecracker has no "
                "network of its own",
                "sysctl kernel.apparmor_restrict_unprivileged_userns=0"};
    }
    const auto guards = access_control_in_force(root);
    if (guards.empty()) {
        return {check, "ok", "neither AppArmor nor SELinux is in force", ""};
    }
    const auto profile = profile_of_ours(root);
    return {check, "ok", guards + (profile.empty() ? "" : "; bangerd is " + profile), ""};
}

}  // namespace banger::agent
