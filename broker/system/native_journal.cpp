// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/native_journal.hpp"

#define SD_JOURNAL_SUPPRESS_LOCATION  // style: sd-journal.h's own switch; a line of ours has no file and function
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <algorithm>
#include <iterator>

namespace banger::broker {

bool is_journal(int fd, const char* journal_stream)
{
    struct stat facts {};
    if (journal_stream == nullptr || ::fstat(fd, &facts) < 0) {
        return false;
    }
    return journal_stream == std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

bool send_to_journal(const std::vector<std::string>& fields)
{
    std::vector<iovec> parts;
    std::transform(fields.begin(), fields.end(), std::back_inserter(parts), [](const std::string& field) {
        return iovec{const_cast<char*>(field.data()), field.size()};  // NOLINT: iovec is for reading, too
    });
    return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace banger::broker
