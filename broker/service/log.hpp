// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/service/gate.hpp"

namespace banger::broker::log {

/// What administrators may want to find by its MESSAGE_ID. banger-broker(8) lists them, with the fields of each.
enum class Event { Call, Serving, Leaving, Reconciled, NotReconciled, DiskTrouble, NetworkMended };
/// 32 hexadecimal digits, which never change.
std::string_view id_of(Event event) noexcept;

/// One entry of the journal, each field as NAME=value.
using Fields = std::vector<std::string>;
/// Where events go from now on; false: it was not taken, and the line goes to stderr like all others. Without a call: to stderr.
void send_events_to(std::function<bool(const Fields&)> journal);

/// debug, info, warn or error; less is not written, but for audit().
void set_level(const std::string& level);
/// To stderr, with the priorities that journald knows (sd-daemon(3)). For what is said before an end, too: journald finds the unit of an entry by
/// its sender's process, which may be gone by then, while it knows whose stderr it reads.
void debug(const std::string& text);
void info(const std::string& text);
void warn(const std::string& text);
void error(const std::string& text);
void info(Event event, const std::string& text);
void warn(Event event, const std::string& text);
void error(Event event, const std::string& text);

/// One line a call, of whatever outcome and at any level; only of a user's look at his own, which bangerd takes every 30 s, the level decides. A
/// client's words are quoted, cut and escaped.
void audit(const AuditLine& line);
/// The same as a text.
std::string audit_text(const AuditLine& line);
/// The same as fields of an entry, BANGER_UID and so on.
Fields audit_fields(const AuditLine& line);

}  // namespace banger::broker::log
