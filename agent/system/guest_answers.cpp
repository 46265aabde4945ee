// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/guest_answers.hpp"

#include <array>
#include <charconv>

#include "common/text.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;

const char* word_of(wire::StatResult::Type type)
{
    constexpr std::array words{"absent", "file", "directory", "symlink", "other"};
    return words[static_cast<std::size_t>(type)];
}

std::uint32_t count_of(const std::string& text)
{
    constexpr std::uint32_t usual = 11;
    constexpr std::uint32_t most = 1000;
    if (text.empty()) {
        return usual;
    }
    std::uint32_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem != std::errc{} || end != text.data() + text.size() || count < 1 || count > most) {
        throw Error{ErrorCode::InvalidArgument, "spawn-time takes a number from 1 to 1000"};
    }
    return count;
}

json to_json(const wire::StatResult& stat)
{
    return {{"type", word_of(stat.type)}, {"target", word_of(stat.target)}, {"mode", stat.mode}, {"size", stat.size}};
}

json to_json(const wire::StatsResult& stats)
{
    return {{"memory_total", stats.memory_total},
            {"memory_available", stats.memory_available},
            {"root_total", stats.root_total},
            {"root_available", stats.root_available},
            {"work_total", stats.work_total},
            {"work_available", stats.work_available},
            {"load", stats.load},
            {"uptime_ms", stats.uptime_ms},
            {"processes", stats.processes},
            {"network_received", stats.network_received},
            {"network_sent", stats.network_sent},
            {"block_read", stats.block_read},
            {"block_written", stats.block_written}};
}

json to_json(const wire::ListenersResult& result)
{
    auto list = json::array();
    for (const auto& listener : result.listeners) {
        list.push_back({{"protocol", listener.protocol},
                        {"address", listener.address},
                        {"port", listener.port},
                        {"program", to_utf8(listener.program)}});
    }
    return {{"listeners", std::move(list)}};
}

struct ToJson {
    json operator()(const wire::Done&) const { return json::object(); }
    json operator()(const wire::StatResult& stat) const { return to_json(stat); }
    json operator()(const wire::SshHostKeysResult& keys) const { return {{"keys", keys.keys}}; }
    json operator()(const wire::StatsResult& stats) const { return to_json(stats); }
    json operator()(const wire::SpawnTimeResult& time) const { return {{"median_ns", time.median_ns}}; }
    json operator()(const wire::ConfigureResult& result) const { return {{"warnings", result.warnings}}; }
    json operator()(const wire::ListenersResult& result) const { return to_json(result); }
    json operator()(const wire::Failure& failure) const { throw Error{ErrorCode::Failed, to_utf8(failure.text)}; }
};

}  // namespace

wire::RequestBody guest_request(std::string_view what, const Bytes& argument)
{
    const std::string text{argument.begin(), argument.end()};
    if (what == "stat") {
        return wire::Stat{text};
    }
    if (what == "stats") {
        return wire::Stats{};
    }
    if (what == "ssh-host-keys") {
        return wire::SshHostKeys{};
    }
    if (what == "listeners") {
        return wire::Listeners{};
    }
    if (what == "spawn-time") {
        return wire::SpawnTime{count_of(text)};
    }
    throw Error{
        ErrorCode::InvalidArgument,
        "a guest can be asked for stat, stats, listeners, ssh-host-keys and spawn-time, not for " + shown(what)};
}

json guest_answer(const wire::ResponseBody& body) { return std::visit(ToJson{}, body); }

}  // namespace banger::agent
