// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/hosts_file.hpp"

#include "guest/setup/marked_block.hpp"

namespace banger::guest {

std::string with_hosts(const std::string& file, const std::vector<wire::HostEntry>& entries)
{
    std::vector<std::string> lines;
    lines.reserve(entries.size());
    for (const auto& entry : entries) {
        lines.push_back(entry.address + "\t" + entry.name);
    }
    return with_block(file, "# banger: VMs of the same user, replaced as they come and go", lines);
}

void set_hosts(const Rooted& root, const std::vector<wire::HostEntry>& entries)
{
    const std::string path = "/etc/hosts";
    const auto before = root.read(path).value_or("");
    const auto after = with_hosts(before, entries);
    if (after != before) {
        root.write(path, after);
    }
}

}  // namespace banger::guest
