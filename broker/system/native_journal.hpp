// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace banger::broker {

/// Whether what is written to `fd` goes to journald: `journal_stream` is $JOURNAL_STREAM (may be null), device and inode, systemd.exec(5). Where it
/// doesn't, whoever started us reads it, and entries sent past it would be missed.
bool is_journal(int fd, const char* journal_stream);

/// One entry, each field as NAME=value, by sd_journal_sendv(3). False: journald did not take it.
bool send_to_journal(const std::vector<std::string>& fields);

}  // namespace banger::broker
