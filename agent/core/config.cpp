// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

#include "common/error.hpp"
#include "common/nearest.hpp"

namespace banger::agent {
namespace {

/// One known key: how its value gets into the configuration.
struct Key {
    std::string_view name;
    std::function<void(Config&, const toml::node&)> apply;
};

[[noreturn]] void refuse(std::string_view file, const toml::node& node, const std::string& what)
{
    throw Error{ErrorCode::InvalidArgument,
                std::string{file} + ":" + std::to_string(node.source().begin.line) + ": " + what};
}

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
        {"log_level", set_log_level},
        {"default_image",
         [](Config& c, const toml::node& n) { c.default_image = ArtifactName::parse(text_of(n)).str(); }},
        {"default_kernel",
         [](Config& c, const toml::node& n) { c.default_kernel = ArtifactName::parse(text_of(n)).str(); }},
    };
    return keys;
}

const std::vector<Key>& vm_keys()
{
    static const std::vector<Key> keys{
        {"vcpu", [](Config& c, const toml::node& n) { c.vcpus = number_of(n, 1, 64); }},
        {"memory_mib", [](Config& c, const toml::node& n) { c.memory_mib = number_of(n, 128, 1U << 20U); }},
        {"disk_size", [](Config& c, const toml::node& n) { c.disk = ByteSize::parse(text_of(n)); }},
        {"vmm", [](Config& c, const toml::node& n) { c.vmm = parse_vmm(text_of(n)); }},
        {"network", [](Config& c, const toml::node& n) { c.network = parse_network(text_of(n)); }},
        {"nat",
         [](Config& c, const toml::node& n) { c.nat = value_of<bool>(n, "true or false") ? Nat::On : Nat::Off; }},
        {"storage", [](Config& c, const toml::node& n) { c.storage = parse_storage(text_of(n)); }},
        {"system_overlay_size", [](Config& c, const toml::node& n) { c.overlay = ByteSize::parse(text_of(n)); }},
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

void apply_table(Config& config, const toml::table& table, const std::vector<Key>& keys, std::string_view file)
{
    for (const auto& [name, node] : table) {
        const auto key =
            std::find_if(keys.begin(), keys.end(), [word = name.str()](const Key& k) { return k.name == word; });
        if (key == keys.end()) {
            if (node.is_table() && name.str() == "vm_defaults" && &keys == &top_keys()) {
                apply_table(config, *node.as_table(), vm_keys(), file);
                continue;
            }
            auto known = names_of(keys);
            if (&keys == &top_keys()) {
                known.emplace_back("vm_defaults");
            }
            const auto near = nearest(name.str(), known);
            refuse(file, node,
                   "unknown key \"" + std::string{name.str()} + "\"" +
                       (near ? "; did you mean " + std::string{*near} + "?" : ""));
        }
        try {
            key->apply(config, node);
        } catch (const Error& problem) {
            refuse(file, node, std::string{key->name} + ": " + problem.what());
        }
    }
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
    auto config = default_config(host);
    try {
        const auto table = toml::parse(text, file);
        apply_table(config, table, top_keys(), file);
    } catch (const toml::parse_error& problem) {
        throw Error{ErrorCode::InvalidArgument, std::string{file} + ":" + std::to_string(problem.source().begin.line) +
                                                    ": " + std::string{problem.description()}};
    }
    return config;
}

Config load_config(const std::filesystem::path& file, const HostSize& host)
{
    std::ifstream stream{file, std::ios::binary};
    if (!stream) {
        return default_config(host);
    }
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    return parse_config(text, file.string(), host);
}

}  // namespace banger::agent
