// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include "agent/core/config_keys.hpp"
#include "common/error.hpp"
#include "common/nearest.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// The tables with keys of their own.
struct ConfigTable {
    std::string_view name;
    const std::vector<ConfigKey>& (*keys)();
};
constexpr std::array config_tables{ConfigTable{vm_defaults_table, vm_config_keys},
                                   ConfigTable{desktop_table, desktop_config_keys}};

std::string prefix_of(const ConfigTable& table) { return std::string{table.name} + "."; }

std::vector<std::string_view> names_of(const std::vector<ConfigKey>& keys)
{
    std::vector<std::string_view> names;
    for (const auto& key : keys) {
        names.push_back(key.name);
    }
    return names;
}

/// What a file was found to say, line by line, and the variables behind it.
struct Reading {
    std::string file;
    const HostFacts* host;
    Config config;
    std::map<std::string, std::string> origins;     ///< of the keys that are set, named as in ConfigValue
    std::multimap<unsigned, std::string> problems;  ///< by line, as toml++ gives keys in the order of the alphabet
    std::vector<std::string> variable_problems;

    void refuse(unsigned line, const std::string& what)
    {
        problems.emplace(line, file + ":" + std::to_string(line) + ": " + what);
    }
    std::vector<std::string> all_problems() const
    {
        std::vector<std::string> all;
        for (const auto& [line, problem] : problems) {
            all.push_back(problem);
        }
        all.insert(all.end(), variable_problems.begin(), variable_problems.end());
        return all;
    }
};

std::string origin_of(const Reading& reading, unsigned line) { return reading.file + ":" + std::to_string(line); }

void refuse_unknown_key(Reading& reading, std::string_view name, unsigned line, std::vector<std::string_view> known)
{
    const auto near = nearest(name, known);
    reading.refuse(
        line, "unknown key \"" + std::string{name} + "\"" + (near ? "; did you mean " + std::string{*near} + "?" : ""));
}

/// The tables of [[file_sync]], each with a line of its own.
void read_syncs(Reading& reading, const toml::node& node)
{
    const auto line = node.source().begin.line;
    const auto* list = node.as_array();
    if (list == nullptr) {
        reading.refuse(line, std::string{file_sync_key} + ": must be tables: [[file_sync]]");
        return;
    }
    std::vector<FileSync> syncs;
    bool all_right = true;
    for (const auto& one : *list) {
        try {
            syncs.push_back(file_sync_of(one, *reading.host));
        } catch (const Error& problem) {
            all_right = false;
            reading.refuse(one.source().begin.line, std::string{file_sync_key} + ": " + problem.what());
        }
    }
    if (all_right) {
        reading.config.file_sync = std::move(syncs);
        reading.origins.emplace(file_sync_key, origin_of(reading, line));
    }
}

/// Throws InvalidArgument, and leaves the configuration as it was then.
void apply_key(Reading& reading, const ConfigKey& key, const toml::node& node)
{
    const auto before = reading.config;
    try {
        key.apply(reading.config, node, *reading.host);
    } catch (const Error&) {
        reading.config = before;
        throw;
    }
}

void read_table(Reading& reading, const toml::table& table, const std::vector<ConfigKey>& keys,
                const std::string& prefix)
{
    const bool is_top = prefix.empty();
    for (const auto& [name, node] : table) {
        const auto line = node.source().begin.line;
        const auto key =
            std::find_if(keys.begin(), keys.end(), [word = name.str()](const ConfigKey& k) { return k.name == word; });
        if (key == keys.end()) {
            const auto* const inner =
                std::find_if(config_tables.begin(), config_tables.end(),
                             [word = name.str()](const ConfigTable& t) { return t.name == word; });
            if (node.is_table() && is_top && inner != config_tables.end()) {
                read_table(reading, *node.as_table(), inner->keys(), prefix_of(*inner));
                continue;
            }
            auto known = names_of(keys);
            if (is_top) {
                for (const auto& one : config_tables) {
                    known.push_back(one.name);
                }
            }
            refuse_unknown_key(reading, name.str(), line, std::move(known));
        } else if (key->name == file_sync_key) {
            read_syncs(reading, node);
        } else {
            try {
                apply_key(reading, *key, node);
                reading.origins.emplace(prefix + std::string{key->name}, origin_of(reading, line));
            } catch (const Error& problem) {
                reading.refuse(line, std::string{key->name} + ": " + problem.what());
            }
        }
    }
}

std::int64_t whole_number(const std::string& text)
{
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size()) {
        throw Error{ErrorCode::InvalidArgument, "must be a whole number"};
    }
    return number;
}

/// As it would stand in the file.
std::unique_ptr<toml::node> node_of(const ConfigKey& key, const std::string& text)
{
    switch (key.form) {
        case VariableForm::Number:
            return std::make_unique<toml::value<std::int64_t>>(whole_number(text));
        case VariableForm::Mebibytes:
            return std::make_unique<toml::value<std::int64_t>>(
                static_cast<std::int64_t>(ByteSize::parse(text, mib).mib()));
        case VariableForm::Truth:
            if (text != "true" && text != "false") {
                throw Error{ErrorCode::InvalidArgument, "must be true or false"};
            }
            return std::make_unique<toml::value<bool>>(text == "true");
        case VariableForm::Text:
            break;
    }
    return std::make_unique<toml::value<std::string>>(text);
}

/// An empty variable is none, as one that a shell can't unset.
void read_variables(Reading& reading, const Variables& variables, const std::vector<ConfigKey>& keys,
                    const std::string& prefix)
{
    for (const auto& key : keys) {
        const auto at = key.variable.empty() ? variables.end() : variables.find(std::string{key.variable});
        if (at == variables.end() || at->second.empty()) {
            continue;
        }
        try {
            const auto node = node_of(key, at->second);
            apply_key(reading, key, *node);
            reading.origins.insert_or_assign(prefix + std::string{key.name}, at->first);
        } catch (const Error& problem) {
            reading.variable_problems.push_back(at->first + ": " + problem.what() + " (it is \"" + shown(at->second) +
                                                "\")");
        }
    }
}

Reading read(std::string_view text, std::string_view file, const HostFacts& host, const Variables& variables)
{
    Reading reading{.file = std::string{file},
                    .host = &host,
                    .config = default_config(host),
                    .origins = {},
                    .problems = {},
                    .variable_problems = {}};
    try {
        read_table(reading, toml::parse(text, file), top_config_keys(), "");
    } catch (const toml::parse_error& problem) {
        reading.refuse(problem.source().begin.line, std::string{problem.description()});
    }
    read_variables(reading, variables, top_config_keys(), "");
    for (const auto& one : config_tables) {
        read_variables(reading, variables, one.keys(), prefix_of(one));
    }
    return reading;
}

struct ConfigText {
    std::string text;
    std::string problem;
};

/// A file that isn't there is an empty one; one that can't be read is none that says nothing.
ConfigText content_of(const std::filesystem::path& file)
{
    std::error_code none;
    const auto refused = [&](int problem) {
        return ConfigText{{}, file.string() + " can't be read: " + std::generic_category().message(problem)};
    };
    if (std::filesystem::is_directory(file, none)) {
        return refused(EISDIR);
    }
    std::ifstream stream{file, std::ios::binary};
    if (!stream) {
        const int problem = errno;
        return problem == ENOENT || problem == ENOTDIR ? ConfigText{} : refused(problem);
    }
    return {std::string{std::istreambuf_iterator<char>{stream}, {}}, {}};
}

}  // namespace

Config default_config(const HostFacts& host)
{
    constexpr std::uint64_t least_memory = 512;
    constexpr std::uint64_t most_memory = 8192;
    return Config{.vcpus = std::clamp(host.cpus / 4, 1U, 4U),
                  .memory_mib = static_cast<std::uint32_t>(
                      std::clamp(ByteSize{host.memory_bytes}.mib() / 8, least_memory, most_memory))};
}

Config parse_config(std::string_view text, std::string_view file, const HostFacts& host, const Variables& variables)
{
    auto reading = read(text, file, host, variables);
    std::string all;
    for (const auto& problem : reading.all_problems()) {
        all += (all.empty() ? "" : "\n") + problem;
    }
    if (!all.empty()) {
        throw Error{ErrorCode::InvalidArgument, all};
    }
    return std::move(reading.config);
}

Config load_config(const std::filesystem::path& file, const HostFacts& host, const Variables& variables)
{
    const auto content = content_of(file);
    if (!content.problem.empty()) {
        throw Error{ErrorCode::InvalidArgument, content.problem};
    }
    return parse_config(content.text, file.string(), host, variables);
}

ConfigReport report_config(const std::filesystem::path& file, const HostFacts& host, const Variables& variables)
{
    const auto content = content_of(file);
    const auto reading = read(content.text, file.string(), host, variables);
    ConfigReport report;
    report.problems = reading.all_problems();
    if (!content.problem.empty()) {
        report.problems.insert(report.problems.begin(), content.problem);
    }
    const auto add = [&](const std::vector<ConfigKey>& keys, const std::string& prefix) {
        for (const auto& key : keys) {
            auto name = prefix + std::string{key.name};
            const auto origin = reading.origins.find(name);
            report.values.push_back({std::move(name), key.shown(reading.config),
                                     origin == reading.origins.end() ? "default" : origin->second});
        }
    };
    add(top_config_keys(), "");
    for (const auto& one : config_tables) {
        add(one.keys(), prefix_of(one));
    }
    return report;
}

}  // namespace banger::agent
