// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/denial.hpp"

#include <fstream>

namespace banger {
namespace {

char first_letter(const std::filesystem::path& path)
{
    std::ifstream file{path};
    return static_cast<char>(file.get());
}

bool has_apparmor(const std::filesystem::path& root)
{
    return first_letter(root / "sys/module/apparmor/parameters/enabled") == 'Y';
}

bool has_selinux(const std::filesystem::path& root) { return first_letter(root / "sys/fs/selinux/enforce") == '1'; }

}  // namespace

std::string access_control_in_force(const std::filesystem::path& root)
{
    std::string guards = has_apparmor(root) ? "AppArmor" : "";
    if (has_selinux(root)) {
        guards += guards.empty() ? "SELinux" : ", SELinux";
    }
    return guards;
}

std::string with_denial_hint(std::string said, const std::filesystem::path& root)
{
    const bool is_refusal = said.find("ermission denied") != std::string::npos;
    if (is_refusal && has_selinux(root)) {
        said +=
            "; where file modes allow it, SELinux may be what denies it: ausearch -m avc -ts recent, as root, shows "
            "that";
    } else if (is_refusal && has_apparmor(root)) {
        said +=
            "; where file modes allow it, AppArmor may be what denies it: journalctl -k --grep DENIED, as root, shows "
            "that";
    }
    return said;
}

}  // namespace banger
