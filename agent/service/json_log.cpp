// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/json_log.hpp"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent::json_log {
namespace {

constexpr std::size_t file_limit = std::size_t{4} << 20U;
constexpr std::size_t files_kept = 3;

std::shared_ptr<spdlog::logger>& logger()
{
    static auto instance = [] {
        auto fallback = std::make_shared<spdlog::logger>("bangerd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        fallback->set_pattern("%v");
        return fallback;
    }();
    return instance;
}

spdlog::level::level_enum level_of(Level level)
{
    constexpr std::array levels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    return levels[static_cast<std::size_t>(level)];
}

/// RFC 3339 in UTC, with milliseconds.
std::string time_now()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    std::array<char, 40> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    constexpr long ns_per_ms = 1'000'000;
    return std::string{text.data(), size} + fmt::format(".{:03}Z", now.tv_nsec / ns_per_ms);
}

}  // namespace

void open(const std::filesystem::path& file)
{
    try {
        auto fresh = std::make_shared<spdlog::logger>(
            "bangerd", std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), file_limit, files_kept));
        fresh->set_pattern("%v");
        fresh->flush_on(spdlog::level::debug);
        logger() = std::move(fresh);
    } catch (const spdlog::spdlog_ex& problem) {
        throw Error{ErrorCode::Failed, "can't write the log " + file.string() + ": " + problem.what()};
    }
}

void set_level(std::string_view level)
{
    logger()->set_level(level == "debug"   ? spdlog::level::debug
                        : level == "warn"  ? spdlog::level::warn
                        : level == "error" ? spdlog::level::err
                                           : spdlog::level::info);
}

void write(Level level, std::string_view message, std::string_view vm, std::string_view operation) noexcept
{
    constexpr std::array names{"debug", "info", "warn", "error"};
    try {
        if (!logger()->should_log(level_of(level))) {
            return;
        }
        nlohmann::ordered_json line{
            {"time", time_now()}, {"level", names[static_cast<std::size_t>(level)]}, {"message", message}};
        if (!vm.empty()) {
            line["vm"] = vm;
        }
        if (!operation.empty()) {
            line["operation"] = operation;
        }
        logger()->log(level_of(level), "{}",
                      line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    } catch (...) {  // NOLINT(bugprone-empty-catch): no log is no reason to fail
    }
}

}  // namespace banger::agent::json_log
