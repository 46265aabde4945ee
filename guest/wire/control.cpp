// SPDX-License-Identifier: GPL-2.0-or-later
// Codecs of the control stream.
#include "guest/wire/cbor.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/names.hpp"

#include <string_view>

namespace banger::wire {
namespace {

using nlohmann::json;

constexpr std::size_t max_entropy = 512;
constexpr std::uint32_t max_spawns = 1000;

constexpr Names<ShutdownKind, 3> shutdown_names{
    {{{ShutdownKind::PowerOff, "poweroff"}, {ShutdownKind::Reboot, "reboot"}, {ShutdownKind::Halt, "halt"}}}};

constexpr Names<StatResult::Type, 5> stat_names{{{{StatResult::Type::Absent, "absent"},
                                                  {StatResult::Type::File, "file"},
                                                  {StatResult::Type::Directory, "directory"},
                                                  {StatResult::Type::Symlink, "symlink"},
                                                  {StatResult::Type::Other, "other"}}}};

template <typename Table>
auto word(const Table& table, const Fields& fields, std::string_view name)
{
    const auto value = table.find(fields.text(name));
    if (!value) {
        bad_field(name, "is an unknown word");
    }
    return *value;
}

// ---- Requests

json map_of(const Ping&) { return {{"method", "ping"}}; }
json map_of(const Stat& stat) { return {{"method", "stat"}, {"path", byte_string(stat.path)}}; }
json map_of(const SshHostKeys&) { return {{"method", "ssh-host-keys"}}; }
json map_of(const Stats&) { return {{"method", "stats"}}; }
json map_of(const SpawnTime& spawn) { return {{"method", "spawn-time"}, {"count", spawn.count}}; }
json map_of(const Shutdown& down) { return {{"method", "shutdown"}, {"how", shutdown_names.name(down.kind)}}; }
json map_of(const Clock& clock) { return {{"method", "clock"}, {"unix-ns", clock.unix_ns}}; }
json map_of(const SyncDisks&) { return {{"method", "sync"}}; }
json map_of(const Listeners&) { return {{"method", "listeners"}}; }

json list_of(const std::vector<HostEntry>& entries)
{
    json list = json::array();
    for (const auto& entry : entries) {
        list.push_back({{"address", entry.address}, {"name", entry.name}});
    }
    return list;
}

json map_of(const Hosts& hosts) { return {{"method", "hosts"}, {"hosts", list_of(hosts.entries)}}; }

json map_of(const Network& network)
{
    return {{"mac", network.mac},
            {"address", network.address},
            {"gateway", network.gateway},
            {"dns", network.dns},
            {"search", network.search}};
}

json map_of(const Configure& configure)
{
    json map{{"method", "configure"},
             {"hosts", list_of(configure.hosts)},
             {"authorized-keys", byte_strings(configure.authorized_keys)},
             {"entropy", byte_string(configure.entropy)}};
    if (configure.network) {
        map["network"] = map_of(*configure.network);
    }
    if (configure.unix_ns) {
        map["unix-ns"] = *configure.unix_ns;
    }
    return map;
}

Network network_of(const Fields& fields)
{
    return {fields.text("mac"), fields.text("address"), fields.text("gateway"), fields.text_list("dns"),
            fields.text_list("search")};
}

/// Random bytes, which may hold a NUL.
std::string entropy_of(const Fields& fields)
{
    const auto& value = fields.get("entropy");
    if (!value.is_binary() || value.get_binary().size() > max_entropy) {
        bad_field("entropy", "is not a short byte string");
    }
    return {value.get_binary().begin(), value.get_binary().end()};
}

/// They become lines of a file.
std::string host_word(const Fields& fields, std::string_view name)
{
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789.:-";
    constexpr std::size_t longest = 253;
    auto word = fields.text(name);
    if (word.empty() || word.size() > longest || word.find_first_not_of(allowed) != std::string::npos) {
        bad_field(name, "is no name or address");
    }
    return word;
}

std::vector<HostEntry> hosts_of(const Fields& fields)
{
    const auto& list = fields.get("hosts");
    if (!list.is_array() || list.size() > Hosts::most) {
        bad_field("hosts", "is not a list of a bearable length");
    }
    std::vector<HostEntry> entries;
    for (const auto& map : list) {
        const Fields one{map};
        entries.push_back({host_word(one, "address"), host_word(one, "name")});
    }
    return entries;
}

Configure configure_of(const Fields& fields)
{
    Configure configure;
    if (fields.has("hosts")) {
        configure.hosts = hosts_of(fields);
    }
    configure.authorized_keys = fields.byte_list("authorized-keys");
    configure.entropy = entropy_of(fields);
    if (fields.has("network")) {
        configure.network = network_of(fields.map("network"));
    }
    if (fields.has("unix-ns")) {
        configure.unix_ns = fields.number<std::int64_t>("unix-ns", 0);
    }
    return configure;
}

std::string absolute_path(const Fields& fields)
{
    auto path = fields.bytes("path");
    if (path.empty() || path.front() != '/') {
        bad_field("path", "is not an absolute path");
    }
    return path;
}

RequestBody request_body(const Fields& fields)
{
    const auto method = fields.text("method");
    if (method == "ping") {
        return Ping{};
    }
    if (method == "stat") {
        return Stat{absolute_path(fields)};
    }
    if (method == "ssh-host-keys") {
        return SshHostKeys{};
    }
    if (method == "stats") {
        return Stats{};
    }
    if (method == "spawn-time") {
        return SpawnTime{fields.number<std::uint32_t>("count", 1, max_spawns)};
    }
    if (method == "shutdown") {
        return Shutdown{word(shutdown_names, fields, "how")};
    }
    if (method == "clock") {
        return Clock{fields.number<std::int64_t>("unix-ns", 0)};
    }
    if (method == "sync") {
        return SyncDisks{};
    }
    if (method == "configure") {
        return configure_of(fields);
    }
    if (method == "listeners") {
        return Listeners{};
    }
    if (method == "hosts") {
        return Hosts{hosts_of(fields)};
    }
    bad_field("method", "names nothing that this version does");
}

// ---- Responses

json map_of(const Done&) { return {{"result", "done"}}; }

json map_of(const StatResult& stat)
{
    return {{"result", "stat"},
            {"type", stat_names.name(stat.type)},
            {"target", stat_names.name(stat.target)},
            {"mode", stat.mode},
            {"size", stat.size}};
}

json map_of(const SshHostKeysResult& keys) { return {{"result", "ssh-host-keys"}, {"keys", byte_strings(keys.keys)}}; }

json map_of(const StatsResult& stats)
{
    return {{"result", "stats"},
            {"memory-total", stats.memory_total},
            {"memory-available", stats.memory_available},
            {"root-total", stats.root_total},
            {"root-available", stats.root_available},
            {"work-total", stats.work_total},
            {"work-available", stats.work_available},
            {"load-milli", static_cast<std::uint64_t>(stats.load * 1000)},
            {"uptime-ms", stats.uptime_ms},
            {"processes", stats.processes},
            {"network-received", stats.network_received},
            {"network-sent", stats.network_sent},
            {"block-read", stats.block_read},
            {"block-written", stats.block_written}};
}

json map_of(const SpawnTimeResult& spawn) { return {{"result", "spawn-time"}, {"median-ns", spawn.median_ns}}; }
json map_of(const ConfigureResult& result)
{
    json warnings = json::array();
    for (const auto& warning : result.warnings) {
        warnings.push_back(sentence(warning));
    }
    return {{"result", "configure"}, {"warnings", warnings}};
}
json map_of(const ListenersResult& result)
{
    json list = json::array();
    for (const auto& listener : result.listeners) {
        list.push_back({{"protocol", listener.protocol},
                        {"address", listener.address},
                        {"port", listener.port},
                        {"program", byte_string(listener.program)}});
    }
    return {{"result", "listeners"}, {"listeners", std::move(list)}};
}
json map_of(const Failure& failure) { return {{"result", "failure"}, {"text", sentence(failure.text)}}; }

StatsResult stats_of(const Fields& fields)
{
    const auto size = [&](std::string_view name) { return fields.number<std::uint64_t>(name); };
    const auto later = [&](std::string_view name) { return fields.has(name) ? size(name) : 0; };
    return {size("memory-total"),
            size("memory-available"),
            size("root-total"),
            size("root-available"),
            size("work-total"),
            size("work-available"),
            static_cast<double>(size("load-milli")) / 1000,
            size("uptime-ms"),
            fields.number<std::uint32_t>("processes"),
            later("network-received"),
            later("network-sent"),
            later("block-read"),
            later("block-written")};
}

ListenersResult listeners_of(const Fields& fields)
{
    const auto& list = fields.get("listeners");
    if (!list.is_array() || list.size() > ListenersResult::most) {
        bad_field("listeners", "is not a list of a bearable length");
    }
    ListenersResult result;
    for (const auto& map : list) {
        const Fields one{map};
        result.listeners.push_back(
            {one.text("protocol"), one.text("address"), one.number<std::uint16_t>("port", 1), one.sentence("program")});
    }
    return result;
}

ResponseBody response_body(const Fields& fields)
{
    const auto result = fields.text("result");
    if (result == "done") {
        return Done{};
    }
    if (result == "stat") {
        return StatResult{word(stat_names, fields, "type"), word(stat_names, fields, "target"),
                          fields.number<std::uint32_t>("mode"), fields.number<std::uint64_t>("size")};
    }
    if (result == "ssh-host-keys") {
        return SshHostKeysResult{fields.byte_list("keys")};
    }
    if (result == "stats") {
        return stats_of(fields);
    }
    if (result == "spawn-time") {
        return SpawnTimeResult{fields.number<std::uint64_t>("median-ns")};
    }
    if (result == "configure") {
        return ConfigureResult{fields.byte_list("warnings")};
    }
    if (result == "listeners") {
        return listeners_of(fields);
    }
    if (result == "failure") {
        return Failure{fields.sentence("text")};
    }
    bad_field("result", "names no result of this version");
}

// ---- All that travels on stream 0

json map_of(const Request& request)
{
    json map = std::visit([](const auto& body) { return map_of(body); }, request.body);
    map["kind"] = "request";
    map["id"] = request.id;
    return map;
}

json map_of(const Response& response)
{
    json map = std::visit([](const auto& body) { return map_of(body); }, response.body);
    map["kind"] = "response";
    map["id"] = response.id;
    return map;
}

json map_of(const Ready& ready)
{
    json stages = json::object();
    for (const auto& [stage, milliseconds] : ready.boot_ms) {
        stages[stage] = milliseconds;
    }
    return {{"kind", "ready"}, {"boot-ms", stages}};
}

json map_of(const Bye& bye) { return {{"kind", "bye"}, {"how", shutdown_names.name(bye.kind)}}; }
json map_of(const BootFailed& failed) { return {{"kind", "boot-failed"}, {"text", sentence(failed.text)}}; }

Ready ready_of(const Fields& fields)
{
    Ready ready;
    const auto stages = fields.map("boot-ms");
    for (const auto& [stage, value] : fields.get("boot-ms").items()) {
        ready.boot_ms[stage] = stages.number<std::uint64_t>(stage);
    }
    return ready;
}

}  // namespace

Bytes encode(const Control& control)
{
    return to_bytes(std::visit([](const auto& alternative) { return map_of(alternative); }, control));
}

Control decode_control(ByteView payload)
{
    const json map = decode_map(payload);
    const Fields fields{map};
    const auto kind = fields.text("kind");
    if (kind == "request") {
        return Request{fields.number<std::uint64_t>("id"), request_body(fields)};
    }
    if (kind == "response") {
        return Response{fields.number<std::uint64_t>("id"), response_body(fields)};
    }
    if (kind == "ready") {
        return ready_of(fields);
    }
    if (kind == "bye") {
        return Bye{word(shutdown_names, fields, "how")};
    }
    if (kind == "boot-failed") {
        return BootFailed{fields.sentence("text")};
    }
    bad_field("kind", "names nothing of this version");
}

std::optional<std::uint64_t> request_id(ByteView payload) noexcept
try {
    const json map = decode_map(payload);
    const Fields fields{map};
    return fields.text("kind") == "request" ? std::optional{fields.number<std::uint64_t>("id")} : std::nullopt;
} catch (const std::exception&) {
    return std::nullopt;
}

}  // namespace banger::wire
