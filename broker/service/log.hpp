// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "broker/service/gate.hpp"

namespace banger::broker::log {

/// debug, info, warn or error; less is not written.
void set_level(const std::string& level);
/// To stderr, with the priorities that journald knows (sd-daemon(3)).
void debug(const std::string& text);
void info(const std::string& text);
void warn(const std::string& text);
void error(const std::string& text);

/// One line a call, of whatever outcome. A client's words are quoted, cut and escaped.
void audit(const AuditLine& line);
/// The same as a text.
std::string audit_text(const AuditLine& line);

}  // namespace banger::broker::log
