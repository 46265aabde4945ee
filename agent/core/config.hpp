// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/vm/vm_record.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// ~/.config/banger/config.toml. The names of the keys are the original program's.
struct Config {
    std::string log_level{"info"};  ///< debug, info, warn or error
    std::string default_image{"debian"};
    std::string default_kernel{"debian"};
    std::uint32_t vcpus;  ///< [vm_defaults] vcpu; default: a quarter of the host's CPUs, 1 to 4
    /// [vm_defaults] memory_mib; default: an eighth of the host's memory, 512 to 8192
    std::uint32_t memory_mib;
    ByteSize disk{8 * gib};                      ///< [vm_defaults] disk_size
    VmmChoice vmm{VmmChoice::Auto};              ///< [vm_defaults] vmm
    NetworkChoice network{NetworkChoice::Auto};  ///< [vm_defaults] network
    Nat nat{Nat::Off};                           ///< [vm_defaults] nat
    StorageChoice storage{StorageChoice::Auto};  ///< [vm_defaults] storage
    ByteSize overlay{default_overlay};           ///< [vm_defaults] system_overlay_size
};

struct HostSize {
    std::uint32_t cpus;
    std::uint64_t memory_bytes;
};

/// What holds with no file at all.
Config default_config(const HostSize& host);
/// Throws InvalidArgument: "FILE:LINE: what is wrong; did you mean ...", a line for each mistake.
Config parse_config(std::string_view text, std::string_view file, const HostSize& host);
/// As above; a file that isn't there is an empty one.
Config load_config(const std::filesystem::path& file, const HostSize& host);

/// A key as it holds now.
struct ConfigValue {
    std::string key;     ///< with its table: vm_defaults.vcpu
    std::string value;   ///< as it could stand in the file
    std::string origin;  ///< "FILE:LINE" or "default"
};

/// All keys, and all mistakes of the file: a key with a mistake has its default.
struct ConfigReport {
    std::vector<ConfigValue> values;
    std::vector<std::string> problems;  ///< "FILE:LINE: what is wrong; did you mean ..."
};
ConfigReport report_config(const std::filesystem::path& file, const HostSize& host);

}  // namespace banger::agent
