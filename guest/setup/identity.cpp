// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/identity.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "common/error.hpp"

namespace banger::guest {
namespace {

/// One that isn't there is fine, and a folder is nothing of what we know.
void remove_from(const Rooted& image, const std::string& folder, const std::string& name)
{
    const auto above = image.open(folder, O_PATH | O_DIRECTORY);
    if (above && ::unlinkat(above.get(), name.c_str(), 0) != 0 && errno != ENOENT && errno != EISDIR) {
        throw errno_error("The image's " + folder + "/" + name, errno);
    }
}

std::vector<std::string> host_keys(const Rooted& image)
{
    const auto folder = image.open("/etc/ssh", O_RDONLY | O_DIRECTORY);
    std::vector<std::string> names;
    std::error_code ignored;
    if (folder) {
        for (const auto& entry : std::filesystem::directory_iterator{fd_path(folder.get()), ignored}) {
            const auto name = entry.path().filename().string();
            if (name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub"))) {
                names.push_back(name);
            }
        }
    }
    return names;
}

}  // namespace

void reset_identity(const Rooted& image)
{
    if (const auto id = image.read("/etc/machine-id"); id && !id->empty() && *id != "uninitialized\n") {
        image.write("/etc/machine-id", "", 0444);
    }
    remove_from(image, "/var/lib/dbus", "machine-id");  // a link to the one above, or a copy of it that dbus makes anew
    for (const auto& key : host_keys(image)) {
        remove_from(image, "/etc/ssh", key);
    }
    remove_from(image, "/var/lib/systemd", "random-seed");
    remove_from(image, "/var/lib/systemd", "credential.secret");
}

}  // namespace banger::guest
