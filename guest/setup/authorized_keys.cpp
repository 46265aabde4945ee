// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/authorized_keys.hpp"

#include "guest/setup/marked_block.hpp"

namespace banger::guest {

std::string with_keys(const std::string& file, const std::vector<std::string>& keys)
{
    return with_block(file, "# banger: keys of the host's user, replaced at each boot", keys);
}

void set_authorized_keys(const Rooted& root, const std::vector<std::string>& keys)
{
    const std::string path = "/root/.ssh/authorized_keys";
    const auto before = root.read(path);
    const auto after = with_keys(before.value_or(""), keys);
    if (after == before.value_or("")) {
        return;
    }
    root.make_folders("/root/.ssh", 0700);
    root.write(path, after, 0600);
}

}  // namespace banger::guest
