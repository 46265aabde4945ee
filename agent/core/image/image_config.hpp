// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace banger::agent {

/// What an OCI image says of how it is run. Any part may be empty.
struct ImageConfig {
    std::vector<std::string> entrypoint{};
    std::vector<std::string> command{};        ///< what follows the entrypoint where nobody gives words of their own
    std::vector<std::string> environment{};    ///< NAME=value
    std::string user{};                        ///< of the image: name or number, with :group or without; empty: root
    std::string working_dir{};                 ///< absolute, or empty
    std::string stop_signal{};                 ///< e.g. SIGQUIT
    std::vector<std::string> exposed_ports{};  ///< PORT/PROTOCOL, only told
    bool systemd{false};  ///< the image's own systemd is its init: the entrypoint is then not what it runs for

    bool operator==(const ImageConfig&) const = default;
};

nlohmann::json to_json(const ImageConfig& config);
/// As to_json() wrote it. Throws CorruptData.
ImageConfig image_config_of(const nlohmann::json& json);

/// The `config` of an OCI image configuration; unknown members are passed over. Throws CorruptData for what a guest can't be given: words
/// with NUL, more than 1,000 of them, more than 128 KiB in all.
ImageConfig image_config_of_oci(const nlohmann::json& document);

/// The signal's number, of a name or a number; 0 for one that there isn't.
int stop_signal_of(const ImageConfig& config);

}  // namespace banger::agent
