// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/runtime/bundle_contents.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

const std::string some_sum(64, 'a');

Json part_json(const std::string& name, const std::string& file, bool addressed)
{
    Json part{{"name", name}, {"file", file}, {"version", "1.0"}, {"size", 7}, {"sha256", some_sum}};
    if (addressed) {
        part["digest"] = std::string(64, 'b');
    }
    return part;
}

Json whole_json()
{
    return {{"format", 1},
            {"version", "0.1.0"},
            {"architecture", "x86_64"},
            {"parts",
             Json::array({part_json("firecracker", "firecracker", false), part_json("kernel", "vmlinux", true),
                          part_json("boot-modules", "boot-modules.cpio", true), part_json("initrd", "initrd", false),
                          part_json("modules", "modules.ext4", true), part_json("rootfs", "rootfs.ext4", true)})}};
}

std::string contents_refusal(const std::string& text)
{
    try {
        parse_bundle_contents(text, "/b/bundle.json");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        return error.what();
    }
    return "it was taken";
}

/// Of a bundle.json that `change` did something to.
template <typename Change>
std::string refusal_after(Change&& change)
{
    auto json = whole_json();
    change(json);
    return contents_refusal(json.dump());
}

TEST(BundleContentsTest, WhatIsWrittenIsReadAgain)
{
    const auto contents = parse_bundle_contents(whole_json().dump(), "bundle.json");
    EXPECT_EQ(contents.version, "0.1.0");
    ASSERT_EQ(contents.parts.size(), 6U);
    ASSERT_NE(contents.find("kernel"), nullptr);
    EXPECT_EQ(contents.find("kernel")->file, "vmlinux");
    EXPECT_EQ(contents.find("kernel")->digest->str(), std::string(64, 'b'));
    EXPECT_EQ(contents.find("firecracker")->digest, std::nullopt);
    EXPECT_EQ(contents.find("rootfs-docker"), nullptr);
    const auto text = to_text(contents);
    EXPECT_EQ(to_text(parse_bundle_contents(text, "bundle.json")), text);
    EXPECT_EQ(Json::parse(text), whole_json());
}

TEST(BundleContentsTest, HalfABundleIsRefusedByTheNameOfWhatIsMissing)
{
    for (const auto* name : {"kernel", "boot-modules", "initrd", "modules"}) {
        EXPECT_THAT(refusal_after([name](Json& json) {
                        for (auto at = json["parts"].begin(); at != json["parts"].end(); ++at) {
                            if ((*at)["name"] == name) {
                                json["parts"].erase(at);
                                break;
                            }
                        }
                    }),
                    HasSubstr(std::string{"half a bundle: the part \""} + name + "\" is missing"));
    }
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"].erase(5); }),
                HasSubstr("half a bundle: neither \"rootfs\" nor \"rootfs-docker\" is there"));
    EXPECT_EQ(refusal_after([](Json& json) { json["parts"].erase(0); }), "it was taken") << "QEMU needs no Firecracker";
}

TEST(BundleContentsTest, UnknownKeysAndPartsAreNamed)
{
    EXPECT_THAT(refusal_after([](Json& json) { json["versoin"] = "1"; }),
                StartsWith("/b/bundle.json: unknown key \"versoin\"; did you mean version?"));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][1]["url"] = "x"; }),
                StartsWith("/b/bundle.json: kernel: unknown key \"url\""));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][1]["name"] = "colonel"; }),
                StartsWith("/b/bundle.json: part 2: there is no part called \"colonel\""));
}

TEST(BundleContentsTest, AFileStaysInTheBundle)
{
    for (const auto* bad : {"../vmlinux", "/etc/passwd", "a/b", "..", ".", ".lock", "bundle.json", "x.json", "1.0",
                            "a b", "a\\b", "-x"}) {
        EXPECT_THAT(refusal_after([bad](Json& json) { json["parts"][1]["file"] = bad; }),
                    HasSubstr("kernel: file must be a plain name"))
            << bad;
    }
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][1]["file"] = ""; }), HasSubstr("kernel: file must be"));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][1]["file"] = std::string(65, 'a'); }),
                HasSubstr("kernel: file must be"));
}

TEST(BundleContentsTest, NothingIsThereTwice)
{
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][0] = json["parts"][1]; }),
                HasSubstr("kernel and kernel have the same name"));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][0]["file"] = "vmlinux"; }),
                HasSubstr("firecracker and kernel have the same file"));
}

TEST(BundleContentsTest, HugeAndOddNumbersAreRefused)
{
    for (const auto* number : {"-1", "1e400", "1.5", "18446744073709551616", "99999999999999999", "\"7\"", "null"}) {
        auto text = whole_json().dump();
        const std::string size = "\"size\":7";
        text.replace(text.find(size), size.size(), std::string{"\"size\":"} + number);
        EXPECT_THAT(contents_refusal(text), StartsWith("/b/bundle.json: ")) << number;
    }
    EXPECT_THAT(refusal_after([](Json& json) { json["format"] = 2; }), HasSubstr("format must be 1"));
}

TEST(BundleContentsTest, SumsAreWholeAndWhereTheyBelong)
{
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][1]["sha256"] = "abc"; }), HasSubstr("kernel: sha256: "));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][1].erase("digest"); }),
                HasSubstr("kernel: \"digest\" is missing"));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][0]["digest"] = some_sum; }),
                HasSubstr("firecracker: it has no digest"));
}

TEST(BundleContentsTest, WhatIsNoJsonObjectIsRefused)
{
    for (const auto* text : {"", "[]", "{", "null", "7", "{\"format\": 1"}) {
        EXPECT_THAT(contents_refusal(text), HasSubstr("must be a JSON object")) << text;
    }
    EXPECT_THAT(contents_refusal(std::string(100'000, '[')), HasSubstr("must be a JSON object"));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"] = 7; }), HasSubstr("parts must be an array"));
    EXPECT_THAT(refusal_after([](Json& json) { json["parts"][0] = 7; }), HasSubstr("part 1: it must be a JSON object"));
    EXPECT_THAT(refusal_after([](Json& json) { json["architecture"] = "riscv64"; }),
                HasSubstr("architecture must be x86_64"));
}

}  // namespace
}  // namespace banger::agent
