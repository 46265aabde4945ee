// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/text.hpp"

namespace banger::broker::log {
namespace {

spdlog::logger& logger()
{
    static const auto instance = [] {
        auto made =
            std::make_shared<spdlog::logger>("banger-broker", std::make_shared<spdlog::sinks::stderr_sink_st>());
        made->set_pattern("%v");
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

/// A client's words, cut, with nothing that ends the quotation but its end.
std::string quoted(std::string_view text, std::size_t limit)
{
    std::string safe{'"'};
    for (const char c : shown(text, limit)) {
        if (c == '"' || c == '\\') {
            safe += '\\';
        }
        safe += c;
    }
    return safe + '"';
}

}  // namespace

void set_level(const std::string& level)
{
    // As in the configuration, which has checked it; spdlog's own words are the same.
    logger().set_level(spdlog::level::from_str(level));
}

void debug(const std::string& text) { logger().debug("<7>{}", text); }
void info(const std::string& text) { logger().info("<6>{}", text); }
void warn(const std::string& text) { logger().warn("<4>{}", text); }
void error(const std::string& text) { logger().error("<3>{}", text); }

std::string audit_text(const AuditLine& line)
{
    constexpr std::size_t object_limit = 64;
    constexpr std::size_t detail_limit = 300;
    auto text = "call uid=" + (line.uid ? std::to_string(*line.uid) : "?") + " sender=" + shown(line.sender) +
                " method=" + std::string{line.rule->name} + " object=" + quoted(line.object, object_limit) +
                " verdict=" + (line.verdict == AuditLine::Verdict::Allowed ? "allowed" : "refused") + " result=";
    if (line.failure) {
        text += std::string{error_info(line.failure->error.code()).dbus_name.substr(sizeof "dev.banger.Error." - 1)} +
                " detail=" + quoted(line.failure->detail, detail_limit);
    } else {
        text += "ok";
    }
    return text + " ms=" + std::to_string(line.took.count());
}

void audit(const AuditLine& line)
{
    if (line.failure && line.failure->error.code() == ErrorCode::Internal) {
        error(audit_text(line));
    } else if (line.verdict == AuditLine::Verdict::Refused) {
        warn(audit_text(line));
    } else {
        info(audit_text(line));
    }
}

}  // namespace banger::broker::log
