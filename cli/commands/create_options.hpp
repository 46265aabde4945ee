// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/parser.hpp"
#include "cli/connect/proxies.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace banger::cli {

/// What `vm create` and `vm run` have in common. What isn't given isn't sent: defaults are bangerd's.
struct CreateOptions {
    std::optional<std::string> name;
    std::optional<std::string> image;
    std::optional<std::string> kernel;
    std::optional<std::string> vcpus;
    std::optional<std::string> memory;
    std::optional<std::string> disk;
    std::optional<std::string> network;
    std::optional<bool> nat{};
    std::optional<std::string> storage{};
    std::optional<std::string> overlay{};
    std::optional<std::string> vmm;
    std::optional<std::string> timeout;
    bool allow_host_loopback{false};
    std::optional<std::string> disk_rate{};
    std::optional<std::string> disk_iops{};
    std::optional<std::string> network_rate{};
    bool dry_run{false};
    bool no_build{false};

    void add_to(Command command);
    /// As Manager.CreateVm takes them. Throws InvalidArgument.
    VariantMap to_map() const;
};

/// Puts `nat` and `overlay_bytes` in, as Manager.CreateVm and Vm.Set take them. Throws InvalidArgument.
void put_sandbox_options(VariantMap& map, const std::optional<bool>& nat, const std::optional<std::string>& overlay);

/// These three as Manager.CreateVm and Vm.Set take them. Throws InvalidArgument.
VariantMap change_of(const std::optional<std::string>& vcpus, const std::optional<std::string>& memory,
                     const std::optional<std::string>& disk);

/// Shape: digits. Throws InvalidArgument; `what` names it there.
std::uint32_t parse_count(const std::string& text, const std::string& what);

}  // namespace banger::cli
