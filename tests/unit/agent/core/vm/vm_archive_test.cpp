// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

const std::string image_sum(64, 'a');

VmArchiveContents whole_archive()
{
    VmArchiveContents contents{.version = "0.1.0",
                               .spec = {.name = VmName::parse("calm-otter"),
                                        .image = "debian",
                                        .image_digest = Digest::parse(image_sum),
                                        .kernel = "debian",
                                        .kernel_digest = Digest::parse(std::string(64, 'b')),
                                        .vcpus = 2,
                                        .memory_mib = 512,
                                        .disk = 1 * gib},
                               .fresh = true,
                               .image_origin = "debian bookworm",
                               .kernel_version = "6.1.0-test"};
    contents.disks = {{"root.img", 16 * gib.bytes(), 1000, Digest::parse(std::string(64, 'c'))},
                      {"work.img", gib.bytes(), 0, Digest::parse(std::string(64, 'd'))},
                      {"image.ext4", 4096, 4096, Digest::parse(image_sum)}};
    return contents;
}

nlohmann::json whole_description() { return nlohmann::json::parse(to_text(whole_archive())); }

std::string archive_refusal(const std::string& text)
{
    try {
        parse_vm_archive(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
        return error.what();
    }
    return "it was taken";
}

std::string archive_refusal(const nlohmann::json& json) { return archive_refusal(json.dump()); }

TEST(VmArchiveTest, WhatIsWrittenIsReadAgain)
{
    const auto read = parse_vm_archive(to_text(whole_archive()));
    EXPECT_EQ(to_text(read), to_text(whole_archive()));
    EXPECT_TRUE(read.fresh);
    EXPECT_EQ(read.spec.name.str(), "calm-otter");
    EXPECT_EQ(read.data(), 5096U);
    ASSERT_NE(read.find("work.img"), nullptr);
    EXPECT_EQ(read.find("work.img")->size, gib.bytes());
    EXPECT_EQ(read.find("passwd"), nullptr);
}

TEST(VmArchiveTest, AnImageNeedNotBeInIt)
{
    auto contents = whole_archive();
    contents.disks.pop_back();
    EXPECT_EQ(parse_vm_archive(to_text(contents)).find("image.ext4"), nullptr);
}

TEST(VmArchiveTest, TextsOfAnyBytesAreWrittenSoThatTheyCanBeRead)
{
    auto contents = whole_archive();
    contents.image_origin = "\xff" + std::string(254, 'x') + "\xc3\xa4\xc3\xa4";
    EXPECT_LE(parse_vm_archive(to_text(contents)).image_origin.size(), 256U);
}

TEST(VmArchiveTest, WhatIsNoDescriptionIsRefused)
{
    EXPECT_THAT(archive_refusal(std::string{}), HasSubstr("vm.json: it is no JSON"));
    EXPECT_THAT(archive_refusal(std::string{"[]"}), HasSubstr("is no object"));
    EXPECT_THAT(archive_refusal(std::string(100'000, '[')), HasSubstr("is no JSON"));
}

TEST(VmArchiveTest, AMemberTooManyOrTooFewIsNamed)
{
    const auto whole = whole_description();
    for (const auto& [key, value] : whole.items()) {
        auto json = whole;
        json.erase(key);
        EXPECT_THAT(archive_refusal(json), HasSubstr("no member \"" + key + "\""));
    }
    auto json = whole_description();
    json["hook"] = "rm -rf /";
    EXPECT_THAT(archive_refusal(json), HasSubstr("unknown member \"hook\""));
}

TEST(VmArchiveTest, ANewerFormatSaysSo)
{
    auto json = whole_description();
    json["format"] = 2;
    json["colour"] = "blue";
    EXPECT_THAT(archive_refusal(json), HasSubstr("a newer one wrote it"));
    json = whole_description();
    json["architecture"] = "riscv64";
    EXPECT_THAT(archive_refusal(json), HasSubstr("riscv64"));
}

TEST(VmArchiveTest, DisksAreThoseThatAVmHas)
{
    const auto refused = [](const std::function<void(nlohmann::json&)>& change) {
        auto json = whole_description();
        change(json["disks"]);
        return archive_refusal(json);
    };
    EXPECT_THAT(refused([](auto& disks) { disks[0]["file"] = "../root.img"; }), HasSubstr("there is no disk"));
    EXPECT_THAT(refused([](auto& disks) { disks[2]["file"] = "root.img"; }), HasSubstr("root.img is there twice"));
    EXPECT_THAT(refused([](auto& disks) { disks.erase(1); }), HasSubstr("work.img is missing"));
    EXPECT_THAT(refused([](auto& disks) { disks[1]["size"] = 4096; }), HasSubstr("another size than the VM's disk"));
    EXPECT_THAT(refused([](auto& disks) { disks[2]["digest"] = std::string(64, 'e'); }),
                HasSubstr("is not the VM's image"));
    EXPECT_THAT(refused([](auto& disks) { disks[0]["data"] = disks[0]["size"].template get<std::uint64_t>() + 1; }),
                HasSubstr("root.img has"));
    for (const auto& bad : {nlohmann::json(-1), nlohmann::json(1.5), nlohmann::json("1"), nlohmann::json(~0ULL)}) {
        EXPECT_THAT(refused([&bad](auto& disks) { disks[0]["size"] = bad; }), HasSubstr("size is no number of bytes"));
    }
    EXPECT_THAT(refused([](auto& disks) { disks.push_back(disks[0]); }), HasSubstr("not what they shall be"));
    EXPECT_THAT(refused([](auto& disks) { disks[0]["digest"] = "x"; }), HasSubstr("vm.json: "));
}

TEST(VmArchiveTest, NamesThatGoOnTheBusAreNames)
{
    for (const auto* key : {"image", "kernel"}) {
        auto json = whole_description();
        json["vm"][key] = "-x\n\xf0\x9f\xa6\xa6";
        EXPECT_THAT(archive_refusal(json), HasSubstr("vm.json: ")) << key;
        json["vm"][key] = "";
        EXPECT_EQ(archive_refusal(json), "it was taken") << "an image that has lost its name";
    }
    auto json = whole_description();
    json["vm"]["name"] = "../calm";
    EXPECT_THAT(archive_refusal(json), HasSubstr("vm.json: "));
}

}  // namespace
}  // namespace banger::agent
