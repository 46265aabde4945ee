// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/ports/vmm.hpp"

namespace banger::agent {

/// One request of Firecracker's API (its swagger file, 1.12).
struct FirecrackerRequest {
    std::string what;  ///< for errors: "the root disk"
    std::string path;
    std::string body;  ///< JSON
};

/// What makes a VM of a Firecracker that has just been started, in order; the last one lets its guest go.
std::vector<FirecrackerRequest> firecracker_requests(const VmmConfig& config);

/// What its answer to a refused request says, in its own words, cut and made safe to show.
std::string firecracker_fault(const std::string& body);

/// Of "Firecracker v1.12.1" or "1.12.1"; nullopt for anything else.
struct FirecrackerVersion {
    int major;
    int minor;
    int patch;
    auto operator<=>(const FirecrackerVersion&) const = default;
};
std::optional<FirecrackerVersion> parse_firecracker_version(std::string_view text);
std::string to_string(const FirecrackerVersion& version);

/// The oldest that we speak to.
inline constexpr FirecrackerVersion oldest_firecracker{1, 12, 0};
/// Its own limit (swagger, MachineConfiguration).
inline constexpr std::uint32_t firecracker_vcpus = 32;

}  // namespace banger::agent
