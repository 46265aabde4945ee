// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <vector>

#include "common/error.hpp"
#include "common/nearest.hpp"

namespace banger::agent {
namespace {

/// One known key: how its value gets into the configuration, and out of it again as it would stand in the file.
struct Key {
    std::string_view name;
    std::function<void(Config&, const toml::node&)> apply;
    std::function<std::string(const Config&)> shown;
};

std::string in_quotes(std::string_view text) { return "\"" + std::string{text} + "\""; }

template <typename T>
T value_of(const toml::node& node, const char* type)
{
    const auto value = node.value_exact<T>();
    if (!value) {
        throw Error{ErrorCode::InvalidArgument, std::string{"must be "} + type};
    }
    return *value;
}

std::string text_of(const toml::node& node) { return value_of<std::string>(node, "a string"); }

std::uint32_t number_of(const toml::node& node, std::int64_t least, std::int64_t most)
{
    const auto value = value_of<std::int64_t>(node, "a whole number");
    if (value < least || value > most) {
        throw Error{ErrorCode::InvalidArgument, "must be " + std::to_string(least) + " to " + std::to_string(most)};
    }
    return static_cast<std::uint32_t>(value);
}

void set_log_level(Config& config, const toml::node& node)
{
    constexpr std::array levels{"debug", "info", "warn", "error"};
    config.log_level = text_of(node);
    if (std::find(levels.begin(), levels.end(), config.log_level) == levels.end()) {
        throw Error{ErrorCode::InvalidArgument, "must be debug, info, warn or error"};
    }
}

const std::vector<Key>& top_keys()
{
    static const std::vector<Key> keys{
        {"log_level", set_log_level, [](const Config& c) { return in_quotes(c.log_level); }},
        {"default_image",
         [](Config& c, const toml::node& n) { c.default_image = ArtifactName::parse(text_of(n)).str(); },
         [](const Config& c) { return in_quotes(c.default_image); }},
        {"default_kernel",
         [](Config& c, const toml::node& n) { c.default_kernel = ArtifactName::parse(text_of(n)).str(); },
         [](const Config& c) { return in_quotes(c.default_kernel); }},
    };
    return keys;
}

const std::vector<Key>& vm_keys()
{
    static const std::vector<Key> keys{
        {"vcpu", [](Config& c, const toml::node& n) { c.vcpus = number_of(n, 1, 64); },
         [](const Config& c) { return std::to_string(c.vcpus); }},
        {"memory_mib", [](Config& c, const toml::node& n) { c.memory_mib = number_of(n, 128, 1U << 20U); },
         [](const Config& c) { return std::to_string(c.memory_mib); }},
        {"disk_size", [](Config& c, const toml::node& n) { c.disk = ByteSize::parse(text_of(n)); },
         [](const Config& c) { return in_quotes(c.disk.to_string()); }},
        {"vmm", [](Config& c, const toml::node& n) { c.vmm = parse_vmm(text_of(n)); },
         [](const Config& c) { return in_quotes(to_string(c.vmm)); }},
        {"network", [](Config& c, const toml::node& n) { c.network = parse_network(text_of(n)); },
         [](const Config& c) { return in_quotes(to_string(c.network)); }},
        {"nat", [](Config& c, const toml::node& n) { c.nat = value_of<bool>(n, "true or false") ? Nat::On : Nat::Off; },
         [](const Config& c) { return std::string{c.nat == Nat::On ? "true" : "false"}; }},
        {"storage", [](Config& c, const toml::node& n) { c.storage = parse_storage(text_of(n)); },
         [](const Config& c) { return in_quotes(to_string(c.storage)); }},
        {"system_overlay_size", [](Config& c, const toml::node& n) { c.overlay = ByteSize::parse(text_of(n)); },
         [](const Config& c) { return in_quotes(c.overlay.to_string()); }},
    };
    return keys;
}

std::vector<std::string_view> names_of(const std::vector<Key>& keys)
{
    std::vector<std::string_view> names;
    for (const auto& key : keys) {
        names.push_back(key.name);
    }
    return names;
}

/// What a file was found to say, line by line.
struct Reading {
    std::string file;
    Config config;
    std::map<std::string, unsigned> lines;          ///< of the keys that are set, named as in ConfigValue
    std::multimap<unsigned, std::string> problems;  ///< by line, as toml++ gives keys in the order of the alphabet

    void refuse(unsigned line, const std::string& what)
    {
        problems.emplace(line, file + ":" + std::to_string(line) + ": " + what);
    }
};

constexpr std::string_view vm_table = "vm_defaults";

void read_table(Reading& reading, const toml::table& table, const std::vector<Key>& keys, const std::string& prefix)
{
    const bool is_top = prefix.empty();
    for (const auto& [name, node] : table) {
        const auto line = node.source().begin.line;
        const auto key =
            std::find_if(keys.begin(), keys.end(), [word = name.str()](const Key& k) { return k.name == word; });
        if (key == keys.end()) {
            if (node.is_table() && name.str() == vm_table && is_top) {
                read_table(reading, *node.as_table(), vm_keys(), std::string{vm_table} + ".");
                continue;
            }
            auto known = names_of(keys);
            if (is_top) {
                known.push_back(vm_table);
            }
            const auto near = nearest(name.str(), known);
            reading.refuse(line, "unknown key \"" + std::string{name.str()} + "\"" +
                                     (near ? "; did you mean " + std::string{*near} + "?" : ""));
            continue;
        }
        const auto before = reading.config;
        try {
            key->apply(reading.config, node);
            reading.lines.emplace(prefix + std::string{key->name}, line);
        } catch (const Error& problem) {
            reading.config = before;
            reading.refuse(line, std::string{key->name} + ": " + problem.what());
        }
    }
}

Reading read(std::string_view text, std::string_view file, const HostSize& host)
{
    Reading reading{.file = std::string{file}, .config = default_config(host), .lines = {}, .problems = {}};
    try {
        read_table(reading, toml::parse(text, file), top_keys(), "");
    } catch (const toml::parse_error& problem) {
        reading.refuse(problem.source().begin.line, std::string{problem.description()});
    }
    return reading;
}

/// A file that isn't there is an empty one.
std::string content_of(const std::filesystem::path& file)
{
    std::ifstream stream{file, std::ios::binary};
    return stream ? std::string{std::istreambuf_iterator<char>{stream}, {}} : std::string{};
}

}  // namespace

Config default_config(const HostSize& host)
{
    constexpr std::uint64_t least_memory = 512;
    constexpr std::uint64_t most_memory = 8192;
    return Config{.vcpus = std::clamp(host.cpus / 4, 1U, 4U),
                  .memory_mib = static_cast<std::uint32_t>(
                      std::clamp(ByteSize{host.memory_bytes}.mib() / 8, least_memory, most_memory))};
}

Config parse_config(std::string_view text, std::string_view file, const HostSize& host)
{
    const auto reading = read(text, file, host);
    std::string all;
    for (const auto& [line, problem] : reading.problems) {
        all += (all.empty() ? "" : "\n") + problem;
    }
    if (!all.empty()) {
        throw Error{ErrorCode::InvalidArgument, all};
    }
    return reading.config;
}

Config load_config(const std::filesystem::path& file, const HostSize& host)
{
    return parse_config(content_of(file), file.string(), host);
}

ConfigReport report_config(const std::filesystem::path& file, const HostSize& host)
{
    const auto reading = read(content_of(file), file.string(), host);
    ConfigReport report;
    for (const auto& [line, problem] : reading.problems) {
        report.problems.push_back(problem);
    }
    const auto add = [&](const std::vector<Key>& keys, const std::string& prefix) {
        for (const auto& key : keys) {
            auto name = prefix + std::string{key.name};
            const auto line = reading.lines.find(name);
            auto origin = line == reading.lines.end() ? "default" : reading.file + ":" + std::to_string(line->second);
            report.values.push_back({std::move(name), key.shown(reading.config), std::move(origin)});
        }
    };
    add(top_keys(), "");
    add(vm_keys(), std::string{vm_table} + ".");
    return report;
}

}  // namespace banger::agent
