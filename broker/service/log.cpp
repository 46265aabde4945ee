// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>

#include "common/text.hpp"

namespace banger::broker::log {
namespace {

constexpr std::size_t object_limit = 64;
constexpr std::size_t detail_limit = 300;

constexpr std::array<std::pair<Event, std::string_view>, 7> event_ids{{
    {Event::Call, "6955cc9ff9aa4febad015b83e3ce459f"},
    {Event::Serving, "ac1752f6dacf4ab58dbb6e24e3e36c23"},
    {Event::Leaving, "641c6f9b7140454792213d1cee1f6061"},
    {Event::Reconciled, "b395baed39754e4fb6cffdfcd28c2a93"},
    {Event::NotReconciled, "72376354711f4f8e8c01399ea7b10efb"},
    {Event::DiskTrouble, "66bd578055ad434ab1997cdeed13f8c8"},
    {Event::NetworkMended, "5741248b144b478f9fe360b981fb2754"},
}};

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

std::function<bool(const Fields&)>& journal_of_events()
{
    static std::function<bool(const Fields&)> journal;
    return journal;
}

/// As syslog(3) numbers them.
int priority_of(spdlog::level::level_enum level)
{
    switch (level) {
        case spdlog::level::err:
            return 3;
        case spdlog::level::warn:
            return 4;
        case spdlog::level::info:
            return 6;
        default:
            return 7;
    }
}

void write_line(spdlog::level::level_enum level, const std::string& text)
{
    logger().log(level, "<{}>{}", priority_of(level), text);
}

bool is_written(spdlog::level::level_enum level) { return logger().should_log(level); }

bool is_taken_by_journal(spdlog::level::level_enum level, Event event, const std::string& text, Fields more)
{
    const auto& send = journal_of_events();
    if (!send) {
        return false;
    }
    Fields fields{"MESSAGE=" + text, "PRIORITY=" + std::to_string(priority_of(level)),
                  "SYSLOG_IDENTIFIER=banger-broker", "MESSAGE_ID=" + std::string{id_of(event)}};
    std::move(more.begin(), more.end(), std::back_inserter(fields));
    return send(fields);
}

void write_event(spdlog::level::level_enum level, Event event, const std::string& text)
{
    if (is_written(level) && !is_taken_by_journal(level, event, text, {})) {
        write_line(level, text);
    }
}

/// "NotFound", or "ok".
std::string result_of(const AuditLine& line)
{
    constexpr std::string_view prefix = "dev.banger.Error.";
    return line.failure ? std::string{error_info(line.failure->error.code()).dbus_name.substr(prefix.size())} : "ok";
}

const char* verdict_of(const AuditLine& line)
{
    return line.verdict == AuditLine::Verdict::Allowed ? "allowed" : "refused";
}

std::string uid_text(const AuditLine& line) { return line.uid ? std::to_string(*line.uid) : "?"; }

spdlog::level::level_enum level_of(const AuditLine& line)
{
    if (line.failure && line.failure->error.code() == ErrorCode::Internal) {
        return spdlog::level::err;
    }
    return line.verdict == AuditLine::Verdict::Refused ? spdlog::level::warn : spdlog::level::info;
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

std::string_view id_of(Event event) noexcept
{
    for (const auto& [known, id] : event_ids) {
        if (known == event) {
            return id;
        }
    }
    return {};
}

void send_events_to(std::function<bool(const Fields&)> journal) { journal_of_events() = std::move(journal); }

void debug(const std::string& text) { write_line(spdlog::level::debug, text); }
void info(const std::string& text) { write_line(spdlog::level::info, text); }
void warn(const std::string& text) { write_line(spdlog::level::warn, text); }
void error(const std::string& text) { write_line(spdlog::level::err, text); }
void info(Event event, const std::string& text) { write_event(spdlog::level::info, event, text); }
void warn(Event event, const std::string& text) { write_event(spdlog::level::warn, event, text); }
void error(Event event, const std::string& text) { write_event(spdlog::level::err, event, text); }

std::string audit_text(const AuditLine& line)
{
    auto text = "call uid=" + uid_text(line) + " sender=" + shown(line.sender) +
                " method=" + std::string{line.rule->name} + " object=" + quoted(line.object, object_limit) +
                " verdict=" + verdict_of(line) + " result=" + result_of(line);
    if (line.failure) {
        text += " detail=" + quoted(line.failure->detail, detail_limit);
    }
    return text + " ms=" + std::to_string(line.took.count());
}

Fields audit_fields(const AuditLine& line)
{
    Fields fields{"BANGER_SENDER=" + shown(line.sender),
                  "BANGER_METHOD=" + std::string{line.rule->name},
                  "BANGER_OBJECT=" + shown(line.object, object_limit),
                  std::string{"BANGER_VERDICT="} + verdict_of(line),
                  "BANGER_RESULT=" + result_of(line),
                  "BANGER_MS=" + std::to_string(line.took.count())};
    if (line.uid) {
        fields.push_back("BANGER_UID=" + std::to_string(*line.uid));
    }
    if (line.failure) {
        fields.push_back("BANGER_DETAIL=" + shown(line.failure->detail, detail_limit));
    }
    return fields;
}

void audit(const AuditLine& line)
{
    const auto level = level_of(line);
    const bool is_look = line.rule->method == Method::List && line.verdict == AuditLine::Verdict::Allowed;
    if (is_look && !is_written(level)) {
        return;
    }
    const auto text = audit_text(line);
    if (!is_taken_by_journal(level, Event::Call, text, audit_fields(line))) {
        // At spdlog's highest level, as a settings file must not make gaps in it.
        logger().log(spdlog::level::critical, "<{}>{}", priority_of(level), text);
    }
}

}  // namespace banger::broker::log
