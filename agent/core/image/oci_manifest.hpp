// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace banger::agent {

/// Of manifests and configurations, in bytes: real ones have some thousand, and as parsed JSON they take up to 25 times as much.
inline constexpr std::size_t oci_document_limit = std::size_t{1} << 20U;

/// One blob that a document of an OCI image names.
struct OciDescriptor {
    enum class Packing { None, Gzip, Zstd };
    std::string digest;  ///< sha256:HEX
    std::uint64_t size;  ///< bytes
    Packing packing{Packing::None};
};

/// An image for one platform.
struct OciManifest {
    OciDescriptor config;
    std::vector<OciDescriptor> layers;  ///< the lowest first; not empty

    /// Of all layers, packed, in bytes.
    std::uint64_t packed_size() const noexcept;
};

/// An image for several platforms: the digest of ours.
struct OciChoice {
    std::string digest;
};

/// The manifest or index in `text`, of OCI or Docker (image manifest version 2, schema 2). Throws CorruptData, which names what can't be used: another
/// platform alone, no layers, encrypted ones, a media type that is no image's.
std::variant<OciManifest, OciChoice> parse_oci_document(std::string_view text);

/// JSON up to oci_document_limit, nested 64 deep at most. `what`: for the sentence. Throws CorruptData.
nlohmann::json parse_oci_json(std::string_view text, const std::string& what);

/// Throws CorruptData for an image configuration of another platform than Linux on amd64.
void check_oci_platform(const nlohmann::json& config);

}  // namespace banger::agent
