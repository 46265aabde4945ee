// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/vm/vm_record.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// A file or folder of the user's home that each new guest gets: [[file_sync]].
struct FileSync {
    std::filesystem::path from;  ///< relative to the home, and nowhere above it
    std::filesystem::path to;    ///< absolute, in the guest
    std::uint32_t mode{0};       ///< of the copies of files; 0: the file's own
};

/// ~/.config/banger/config.toml, with the variables that win over it; banger.toml(5) has each key. Paths are absolute, or empty where
/// nothing is set. The names of the keys are the original program's.
struct Config {
    std::string log_level{"info"};  ///< debug, info, warn or error
    std::filesystem::path runtime_dir{};
    std::filesystem::path firecracker_bin{};
    std::filesystem::path mapdns_bin{};
    std::filesystem::path mapdns_data_file{};
    std::filesystem::path ssh_key_path{};
    std::filesystem::path namegen_path{};
    std::filesystem::path customize_script{};
    std::filesystem::path default_rootfs{};
    std::filesystem::path default_base_rootfs{};
    std::filesystem::path default_initrd{};
    std::filesystem::path default_modules_dir{};
    std::filesystem::path default_packages_file{};
    std::string default_image{"debian"};
    std::string default_kernel{"debian"};
    std::filesystem::path default_kernel_file{};    ///< what that one is made of; empty: a distribution's package
    std::chrono::seconds auto_stop_stale_after{0};  ///< 0: never
    std::vector<FileSync> file_sync{};
    bool notifications{true};  ///< [desktop] notifications
    std::uint32_t vcpus;       ///< [vm_defaults] vcpu; default: a quarter of the host's CPUs, 1 to 4
    /// [vm_defaults] memory_mib; default: an eighth of the host's memory, 512 to 8192
    std::uint32_t memory_mib;
    ByteSize disk{8 * gib};                      ///< [vm_defaults] disk_size
    VmmChoice vmm{VmmChoice::Auto};              ///< [vm_defaults] vmm
    NetworkChoice network{NetworkChoice::Auto};  ///< [vm_defaults] network
    Nat nat{Nat::Off};                           ///< [vm_defaults] nat
    StorageChoice storage{StorageChoice::Auto};  ///< [vm_defaults] storage
    ByteSize overlay{default_overlay};           ///< [vm_defaults] system_overlay_size
};

/// The name of the default kernel where default_kernel is a file, as the original program had it. cli/commands/creation.cpp knows it, too.
inline constexpr std::string_view kernel_of_a_file{"default"};

/// What defaults and "~" depend on.
struct HostFacts {
    std::uint32_t cpus;
    std::uint64_t memory_bytes;
    std::filesystem::path home{};  ///< of the user; empty where nobody knows it
};

/// An environment.
using Variables = std::map<std::string, std::string>;

/// What holds with no file at all.
Config default_config(const HostFacts& host);
/// Throws InvalidArgument: "FILE:LINE: what is wrong; did you mean ...", or "VARIABLE: what is wrong", a line for each mistake.
Config parse_config(std::string_view text, std::string_view file, const HostFacts& host,
                    const Variables& variables = {});
/// As above; a file that isn't there is an empty one, and one that can't be read a mistake.
Config load_config(const std::filesystem::path& file, const HostFacts& host, const Variables& variables = {});

/// A key as it holds now.
struct ConfigValue {
    std::string key;     ///< with its table: vm_defaults.vcpu
    std::string value;   ///< as it could stand in the file
    std::string origin;  ///< "FILE:LINE", "default", or the variable's name
};

/// All keys, and all mistakes of the file and the variables: a key with a mistake has its default.
struct ConfigReport {
    std::vector<ConfigValue> values;
    std::vector<std::string>
        problems;  ///< "FILE:LINE: what is wrong; did you mean ...", then "VARIABLE: what is wrong"
};
ConfigReport report_config(const std::filesystem::path& file, const HostFacts& host, const Variables& variables = {});

}  // namespace banger::agent
