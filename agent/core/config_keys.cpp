// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config_keys.hpp"

#include <algorithm>
#include <array>

#include "agent/core/config_values.hpp"
#include "agent/core/duration.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

void set_log_level(Config& config, const toml::node& node, const HostFacts&)
{
    constexpr std::array levels{"debug", "info", "warn", "error"};
    config.log_level = toml_string(node);
    if (std::find(levels.begin(), levels.end(), config.log_level) == levels.end()) {
        throw Error{ErrorCode::InvalidArgument, "must be debug, info, warn or error"};
    }
}

/// A name, or a file, of which one is then made.
void set_default_kernel(Config& config, const toml::node& node, const HostFacts& host)
{
    const auto text = toml_string(node);
    const bool is_file = text.find('/') != std::string::npos;
    config.default_kernel_file = is_file ? toml_path(node, host) : std::filesystem::path{};
    config.default_kernel = is_file ? std::string{kernel_of_a_file} : ArtifactName::parse(text).str();
}

std::string shown_kernel(const Config& config)
{
    return toml_text(config.default_kernel_file.empty() ? config.default_kernel : config.default_kernel_file.string());
}

ConfigKey path_key(std::string_view name, std::string_view variable, std::filesystem::path Config::*member)
{
    return {name,
            variable,
            VariableOf::Daemon,
            VariableForm::Text,
            [member](Config& c, const toml::node& n, const HostFacts& h) { c.*member = toml_path(n, h); },
            [member](const Config& c) { return toml_text((c.*member).string()); }};
}

std::string shown_syncs(const Config& config)
{
    std::string list;
    for (const auto& sync : config.file_sync) {
        list += (list.empty() ? "" : ", ") + std::string{"{from = "} + toml_text("~/" + sync.from.string()) +
                ", to = " + toml_text(sync.to.string());
        list += sync.mode == 0 ? "}" : ", mode = " + toml_text(octal_of(sync.mode)) + "}";
    }
    return "[" + list + "]";
}

}  // namespace

const std::vector<ConfigKey>& top_config_keys()
{
    using enum VariableOf;
    using enum VariableForm;
    static const std::vector<ConfigKey> keys{
        {"log_level", "BANGER_LOG_LEVEL", Daemon, Text, set_log_level,
         [](const Config& c) { return toml_text(c.log_level); }},
        path_key("runtime_dir", "BANGER_RUNTIME_DIR", &Config::runtime_dir),
        path_key("firecracker_bin", "BANGER_FIRECRACKER_BIN", &Config::firecracker_bin),
        path_key("mapdns_bin", "BANGER_MAPDNS_BIN", &Config::mapdns_bin),
        path_key("mapdns_data_file", "BANGER_MAPDNS_DATA_FILE", &Config::mapdns_data_file),
        path_key("ssh_key_path", "BANGER_SSH_KEY_PATH", &Config::ssh_key_path),
        path_key("namegen_path", "BANGER_NAMEGEN_PATH", &Config::namegen_path),
        path_key("customize_script", "BANGER_CUSTOMIZE_SCRIPT", &Config::customize_script),
        path_key("default_rootfs", "BANGER_DEFAULT_ROOTFS", &Config::default_rootfs),
        path_key("default_base_rootfs", "BANGER_DEFAULT_BASE_ROOTFS", &Config::default_base_rootfs),
        {"default_kernel", "BANGER_DEFAULT_KERNEL", Caller, Text, set_default_kernel, shown_kernel},
        path_key("default_initrd", "BANGER_DEFAULT_INITRD", &Config::default_initrd),
        path_key("default_modules_dir", "BANGER_DEFAULT_MODULES_DIR", &Config::default_modules_dir),
        path_key("default_packages_file", "BANGER_DEFAULT_PACKAGES_FILE", &Config::default_packages_file),
        {"default_image", "BANGER_DEFAULT_IMAGE", Caller, Text,
         [](Config& c, const toml::node& n, const HostFacts&) {
             c.default_image = ArtifactName::parse(toml_string(n)).str();
         },
         [](const Config& c) { return toml_text(c.default_image); }},
        {"auto_stop_stale_after", "BANGER_AUTO_STOP_STALE_AFTER", Daemon, Text,
         [](Config& c, const toml::node& n, const HostFacts&) {
             c.auto_stop_stale_after = parse_duration(toml_string(n));
         },
         [](const Config& c) { return toml_text(to_string(c.auto_stop_stale_after)); }},
        {file_sync_key, "", Nobody, Text,
         [](Config&, const toml::node&, const HostFacts&) {},  // table by table, each with its line: config.cpp
         shown_syncs},
    };
    return keys;
}

const std::vector<ConfigKey>& vm_config_keys()
{
    using enum VariableOf;
    using enum VariableForm;
    static const std::vector<ConfigKey> keys{
        {"vcpu", "BANGER_VCPU", Caller, Number,
         [](Config& c, const toml::node& n, const HostFacts&) { c.vcpus = toml_number(n, 1, 64); },
         [](const Config& c) { return std::to_string(c.vcpus); }},
        {"memory_mib", "BANGER_MEMORY", Caller, Mebibytes,
         [](Config& c, const toml::node& n, const HostFacts&) { c.memory_mib = toml_number(n, 128, 1U << 20U); },
         [](const Config& c) { return std::to_string(c.memory_mib); }},
        {"disk_size", "BANGER_DISK_SIZE", Caller, Text,
         [](Config& c, const toml::node& n, const HostFacts&) { c.disk = ByteSize::parse(toml_string(n)); },
         [](const Config& c) { return toml_text(c.disk.to_string()); }},
        {"vmm", "BANGER_VMM", Caller, Text,
         [](Config& c, const toml::node& n, const HostFacts&) { c.vmm = parse_vmm(toml_string(n)); },
         [](const Config& c) { return toml_text(to_string(c.vmm)); }},
        {"network", "BANGER_NETWORK", Caller, Text,
         [](Config& c, const toml::node& n, const HostFacts&) { c.network = parse_network(toml_string(n)); },
         [](const Config& c) { return toml_text(to_string(c.network)); }},
        {"nat", "BANGER_NAT", Caller, Truth,
         [](Config& c, const toml::node& n, const HostFacts&) { c.nat = toml_truth(n) ? Nat::On : Nat::Off; },
         [](const Config& c) { return std::string{c.nat == Nat::On ? "true" : "false"}; }},
        {"storage", "BANGER_STORAGE", Caller, Text,
         [](Config& c, const toml::node& n, const HostFacts&) { c.storage = parse_storage(toml_string(n)); },
         [](const Config& c) { return toml_text(to_string(c.storage)); }},
        {"system_overlay_size", "BANGER_SYSTEM_OVERLAY_SIZE", Caller, Text,
         [](Config& c, const toml::node& n, const HostFacts&) { c.overlay = ByteSize::parse(toml_string(n)); },
         [](const Config& c) { return toml_text(c.overlay.to_string()); }},
    };
    return keys;
}

const std::vector<ConfigKey>& desktop_config_keys()
{
    using enum VariableOf;
    using enum VariableForm;
    static const std::vector<ConfigKey> keys{
        {"notifications", "BANGER_NOTIFICATIONS", Daemon, Truth,
         [](Config& c, const toml::node& n, const HostFacts&) { c.notifications = toml_truth(n); },
         [](const Config& c) { return std::string{c.notifications ? "true" : "false"}; }},
    };
    return keys;
}

}  // namespace banger::agent
