// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace banger {

/// Where a user's things are (XDG base directories). All absolute.
struct Paths {
    std::filesystem::path state;    ///< $XDG_STATE_HOME/banger: database, logs, vms/
    std::filesystem::path cache;    ///< $XDG_CACHE_HOME/banger: images/, kernels/, runtime/
    std::filesystem::path config;   ///< $XDG_CONFIG_HOME/banger/config.toml
    std::filesystem::path runtime;  ///< $XDG_RUNTIME_DIR/banger, else state/run
    /// What is bangerd's own in `runtime` is named so: "bangerd", or with a hash where state isn't HOME's usual one, as several may share
    /// one $XDG_RUNTIME_DIR.
    std::string instance;
    /// Where libnss_banger looks for the names of running VMs; empty without an $XDG_RUNTIME_DIR, as it looks into no other folder.
    std::filesystem::path names;

    std::filesystem::path database() const { return state / "banger.db"; }
    std::filesystem::path log() const { return state / "bangerd.log"; }
    std::filesystem::path vms() const { return state / "vms"; }
    std::filesystem::path images() const { return cache / "images"; }
    std::filesystem::path kernels() const { return cache / "kernels"; }
    std::filesystem::path programs() const { return cache / "runtime"; }  ///< of others: Firecracker
    std::filesystem::path announcement() const { return state / "bangerd.json"; }
};

using Environment = std::function<std::optional<std::string>(const char* name)>;

/// Throws HostLacks when there is neither HOME nor the XDG variables, InvalidArgument for a relative one.
Paths find_paths(const Environment& environment);

}  // namespace banger
