// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/oci_manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string digest = "sha256:" + std::string(64, 'a');
const std::string other = "sha256:" + std::string(64, 'b');
constexpr auto oci_config = "application/vnd.oci.image.config.v1+json";
constexpr auto oci_layer = "application/vnd.oci.image.layer.v1.tar+gzip";

json descriptor(const std::string& type, const json& size = 100, const std::string& of = digest)
{
    return {{"mediaType", type}, {"digest", of}, {"size", size}};
}

json sound()
{
    return {{"schemaVersion", 2},
            {"config", descriptor(oci_config)},
            {"layers", {descriptor(oci_layer, 7), descriptor(oci_layer, 8)}}};
}

OciManifest manifest(const json& document) { return std::get<OciManifest>(parse_oci_document(document.dump())); }

/// The refusal's sentence.
std::string refusal(const std::string& text)
{
    try {
        parse_oci_document(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData) << text;
        return error.what();
    }
    ADD_FAILURE() << "was taken: " << text;
    return "";
}
std::string refusal(const json& document) { return refusal(document.dump()); }

json with_layer(const json& layer)
{
    auto document = sound();
    document["layers"].push_back(layer);
    return document;
}

TEST(OciManifestTest, ASoundManifestIsRead)
{
    const auto read = manifest(sound());
    EXPECT_EQ(read.config.digest, digest);
    ASSERT_EQ(read.layers.size(), 2U);
    EXPECT_EQ(read.layers[1].size, 8U);
    EXPECT_EQ(read.packed_size(), 15U);
    EXPECT_EQ(read.layers[0].packing, OciDescriptor::Packing::Gzip);
}

TEST(OciManifestTest, DockersTypesCountAsWell)
{
    const json document{{"schemaVersion", 2},
                        {"config", descriptor("application/vnd.docker.container.image.v1+json")},
                        {"layers", json::array({descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip")})}};
    EXPECT_EQ(manifest(document).layers.size(), 1U);
    EXPECT_EQ(manifest(with_layer(descriptor("application/vnd.oci.image.layer.v1.tar"))).layers[2].packing,
              OciDescriptor::Packing::None);
    EXPECT_EQ(manifest(with_layer(descriptor("application/vnd.oci.image.layer.v1.tar+zstd"))).layers[2].packing,
              OciDescriptor::Packing::Zstd);
}

TEST(OciManifestTest, OfAnIndexOursIsChosen)
{
    const auto platform = [](const char* os, const char* architecture, const std::string& of) {
        auto entry = descriptor("application/vnd.oci.image.manifest.v1+json", 500, of);
        entry["platform"] = {{"os", os}, {"architecture", architecture}};
        return entry;
    };
    const json index{{"schemaVersion", 2},
                     {"manifests", {platform("linux", "arm64", digest), json(7), platform("linux", "amd64", other)}}};
    EXPECT_EQ(std::get<OciChoice>(parse_oci_document(index.dump())).digest, other);
    const json without{{"schemaVersion", 2},
                       {"manifests", {platform("linux", "arm64", digest), platform("windows", "amd64", other)}}};
    EXPECT_THAT(refusal(without), HasSubstr("not there for linux/amd64, but for linux/arm64, windows/amd64"));
    EXPECT_THAT(refusal(json{{"schemaVersion", 2}, {"manifests", json::array()}}), HasSubstr("linux/amd64"));
}

TEST(OciManifestTest, WhatCanNotBeUsedIsNamed)
{
    auto document = sound();
    document["layers"] = json::array();
    EXPECT_THAT(refusal(document), HasSubstr("no layers"));
    document = sound();
    document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json";
    EXPECT_THAT(refusal(document), HasSubstr("application/vnd.cncf.helm.config.v1+json"));
    EXPECT_THAT(refusal(with_layer(descriptor(std::string{oci_layer} + "+encrypted"))), HasSubstr("encrypted"));
    EXPECT_THAT(refusal(with_layer(descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"))),
                HasSubstr("foreign"));
    EXPECT_THAT(refusal(with_layer(descriptor("text/x\x1b[31m"))), HasSubstr("text/x?[31m"));
    EXPECT_THAT(refusal(json{{"schemaVersion", 1}, {"fsLayers", json::array()}}), HasSubstr("first format"));
}

TEST(OciManifestTest, LiesAboutDigestsAndSizesAreRefused)
{
    EXPECT_THAT(refusal(with_layer(descriptor(oci_layer, 100, "sha256:../../x"))), HasSubstr("no sha256"));
    EXPECT_THAT(refusal(with_layer(descriptor(oci_layer, 100, "md5:" + std::string(32, 'a')))), HasSubstr("no sha256"));
    EXPECT_THAT(refusal(with_layer(descriptor(oci_layer, -1))), HasSubstr("no size"));
    EXPECT_THAT(refusal(with_layer(descriptor(oci_layer, 1.5))), HasSubstr("no size"));
    EXPECT_THAT(refusal(with_layer(descriptor(oci_layer, UINT64_MAX))), HasSubstr("claims 18446744073709551615"));
    auto document = sound();
    document["config"]["size"] = 2U << 20U;
    EXPECT_THAT(refusal(document), HasSubstr("more than 1 MiB"));
    document = sound();
    document["layers"] = std::vector<json>(501, descriptor(oci_layer));
    EXPECT_THAT(refusal(document), HasSubstr("500"));
}

TEST(OciManifestTest, WhatIsNoManifestIsRefused)
{
    for (const auto* text : {"", "[]", "7", "{", "null", "{}", R"({"config": 7, "layers": []})", R"({"manifests": {}})",
                             R"({"manifests": 7})"}) {
        refusal(std::string{text});
    }
    EXPECT_THAT(refusal(std::string((1U << 20U) + 1, ' ')), HasSubstr("1 MiB"));
    auto document = sound();
    document["layers"] = {7, "x", nullptr};
    refusal(document);
    document.erase("layers");
    EXPECT_THAT(refusal(document), HasSubstr("layers"));
}

TEST(OciManifestTest, OneThatIsNestedDeeplyIsRefusedAndEndsNothing)
{
    constexpr std::size_t levels = 200'000;
    const auto nested = std::string(levels, '[') + std::string(levels, ']');
    EXPECT_THAT(refusal(R"({"manifests": [{"platform": )" + nested + "}]}"), HasSubstr("64 deep"));
    EXPECT_THAT(refusal(R"({"manifests": [{"platform": )" + nested), HasSubstr("64 deep"));
    std::string objects;
    for (std::size_t i = 0; i < 100'000; ++i) {
        objects += R"({"a":)";
    }
    EXPECT_THAT(refusal(objects), HasSubstr("64 deep"));
    auto document = sound();
    document["annotations"] = json::parse(std::string(60, '[') + std::string(60, ']'));
    EXPECT_EQ(manifest(document).layers.size(), 2U);
}

TEST(OciManifestTest, AConfigurationOfAnotherPlatformIsRefused)
{
    EXPECT_NO_THROW(check_oci_platform({{"os", "linux"}, {"architecture", "amd64"}}));
    for (const auto& config :
         {json{{"os", "linux"}, {"architecture", "arm64"}}, json{{"os", "windows"}, {"architecture", "amd64"}},
          json::object(), json{{"os", 7}, {"architecture", "amd64"}}}) {
        EXPECT_THROW(check_oci_platform(config), Error) << config;
    }
}

}  // namespace
}  // namespace banger::agent
