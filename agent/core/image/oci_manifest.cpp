// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/oci_manifest.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "agent/core/image/oci_source.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;
using Packing = OciDescriptor::Packing;

constexpr std::size_t layers_limit = 500;                      // Docker makes no more than 127
constexpr int deepest_json = 64;                               // real ones have 6; json is copied by recursion
constexpr std::uint64_t blob_limit = std::uint64_t{1} << 44U;  // 16 TiB; so that no sum of them overflows

struct LayerType {
    std::string_view name;
    Packing packing;
};
constexpr std::array layer_types{
    LayerType{"application/vnd.oci.image.layer.v1.tar", Packing::None},
    LayerType{"application/vnd.oci.image.layer.v1.tar+gzip", Packing::Gzip},
    LayerType{"application/vnd.oci.image.layer.v1.tar+zstd", Packing::Zstd},
    LayerType{"application/vnd.docker.image.rootfs.diff.tar", Packing::None},
    LayerType{"application/vnd.docker.image.rootfs.diff.tar.gzip", Packing::Gzip},
    LayerType{"application/vnd.docker.image.rootfs.diff.tar.zstd", Packing::Zstd},
};
constexpr std::array config_types{std::string_view{"application/vnd.oci.image.config.v1+json"},
                                  std::string_view{"application/vnd.docker.container.image.v1+json"}};

[[noreturn]] void refuse_manifest(const std::string& what) { throw Error{ErrorCode::CorruptData, "the image " + what}; }

std::string text_in(const json& object, const char* name)
{
    const auto at = object.is_object() ? object.find(name) : object.end();
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

const json& list_in(const json& object, const char* name)
{
    const auto at = object.find(name);
    if (at == object.end() || !at->is_array()) {
        refuse_manifest(std::string{"has a damaged manifest: "} + name + " is no list");
    }
    return *at;
}

OciDescriptor descriptor_of(const json& object)
{
    OciDescriptor descriptor{.digest = text_in(object, "digest"), .size = 0};
    const auto size = object.is_object() ? object.find("size") : object.end();
    if (!is_oci_digest(descriptor.digest) || size == object.end() || !size->is_number_unsigned()) {
        refuse_manifest("has a damaged manifest: a part of it has no sha256 or no size");
    }
    descriptor.size = size->get<std::uint64_t>();
    if (descriptor.size > blob_limit) {
        refuse_manifest("has a damaged manifest: a part of it claims " + std::to_string(descriptor.size) + " bytes");
    }
    return descriptor;
}

OciDescriptor config_of(const json& manifest)
{
    const auto at = manifest.find("config");
    const auto type = at != manifest.end() ? text_in(*at, "mediaType") : std::string{};
    if (std::find(config_types.begin(), config_types.end(), type) == config_types.end()) {
        refuse_manifest("is none that can boot: its configuration is of the type \"" + shown(type, 128) + "\"");
    }
    auto config = descriptor_of(*at);
    if (config.size > oci_document_limit) {
        refuse_manifest("has a configuration of more than 1 MiB");
    }
    return config;
}

OciDescriptor layer_of(const json& object)
{
    const auto type = text_in(object, "mediaType");
    if (type.ends_with("+encrypted")) {
        refuse_manifest(
            "has encrypted layers; skopeo copy --decryption-key KEY … oci:FOLDER makes a copy that has none");
    }
    const auto known = std::find_if(layer_types.begin(), layer_types.end(),
                                    [&type](const LayerType& layer) { return layer.name == type; });
    if (known == layer_types.end()) {
        refuse_manifest("has a layer of the type \"" + shown(type, 128) + "\", which can't be unpacked");
    }
    auto layer = descriptor_of(object);
    layer.packing = known->packing;
    return layer;
}

OciManifest manifest_of(const json& document)
{
    OciManifest manifest{.config = config_of(document), .layers = {}};
    const auto& layers = list_in(document, "layers");
    if (layers.empty()) {
        refuse_manifest("has no layers: there is nothing in it to boot");
    }
    if (layers.size() > layers_limit) {
        refuse_manifest("has more than 500 layers");
    }
    std::transform(layers.begin(), layers.end(), std::back_inserter(manifest.layers), layer_of);
    return manifest;
}

bool is_ours(const json& platform)
{
    return text_in(platform, "os") == "linux" && text_in(platform, "architecture") == "amd64";
}

const json& platform_of(const json& entry)
{
    static const json none = json::object();
    const auto at = entry.find("platform");
    return at != entry.end() ? *at : none;
}

OciChoice choice_of(const json& document)
{
    std::string others;
    for (const auto& entry : list_in(document, "manifests")) {
        const auto& platform = platform_of(entry);
        if (is_ours(platform)) {
            return {descriptor_of(entry).digest};
        }
        constexpr std::size_t enough = 200;
        if (others.size() < enough) {
            others +=
                (others.empty() ? "" : ", ") + shown(text_in(platform, "os") + "/" + text_in(platform, "architecture"));
        }
    }
    refuse_manifest("is not there for linux/amd64" + (others.empty() ? "" : ", but for " + others));
}

}  // namespace

std::uint64_t OciManifest::packed_size() const noexcept
{
    std::uint64_t sum = 0;
    for (const auto& layer : layers) {
        sum += layer.size;  // 500 times 2^44 at most
    }
    return sum;
}

json parse_oci_json(std::string_view text, const std::string& what)
{
    if (text.size() > oci_document_limit) {
        throw Error{ErrorCode::CorruptData, what + " has more than 1 MiB"};
    }
    const auto refuse_depth = [&what](int depth, json::parse_event_t, const json&) {
        if (depth > deepest_json) {
            throw Error{ErrorCode::CorruptData, what + " has parts in parts, more than 64 deep"};
        }
        return true;
    };
    auto document = json::parse(text, refuse_depth, false);
    if (!document.is_object()) {
        throw Error{ErrorCode::CorruptData, what + " is no JSON object"};
    }
    return document;
}

std::variant<OciManifest, OciChoice> parse_oci_document(std::string_view text)
{
    const auto document = parse_oci_json(text, "the image's manifest");
    const auto version = document.find("schemaVersion");
    if (version != document.end() && *version == 1) {
        refuse_manifest("is of Docker's first format, of before 2016; push it again with a newer docker");
    }
    if (document.contains("manifests")) {
        return choice_of(document);
    }
    return manifest_of(document);
}

void check_oci_platform(const json& config)
{
    if (!is_ours(config)) {
        refuse_manifest("is for " + shown(text_in(config, "os") + "/" + text_in(config, "architecture")) +
                        ", and VMs here are linux/amd64");
    }
}

}  // namespace banger::agent
