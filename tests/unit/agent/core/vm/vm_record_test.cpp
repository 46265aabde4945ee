// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

VmSpec spec()
{
    return VmSpec{.name = VmName::parse("calm-otter"),
                  .image = "debian",
                  .image_digest = Digest::parse(std::string(64, 'a')),
                  .kernel = "debian",
                  .kernel_digest = Digest::parse(std::string(64, 'b')),
                  .vcpus = 3,
                  .memory_mib = 512,
                  .disk = 7 * gib,
                  .vmm = VmmChoice::QemuKvm,
                  .network = NetworkChoice::None,
                  .nat = Nat::On,
                  .storage = StorageChoice::DmSnapshot,
                  .overlay = 4 * gib,
                  .loopback = LoopbackPolicy::Allowed,
                  .rates = {5 * mib, 100, 2 * mib},
                  .on_stop = StopPolicy::Remove};
}

TEST(VmRecordTest, ASpecIsReadBackAsItWas)
{
    EXPECT_EQ(to_json(vm_spec_of(to_json(spec()))), to_json(spec()));
    auto other = spec();
    other.vmm = VmmChoice::Auto;
    other.network = NetworkChoice::User;
    other.loopback = LoopbackPolicy::Shielded;
    other.on_stop = StopPolicy::Keep;
    const auto back = vm_spec_of(to_json(other));
    EXPECT_EQ(back.vmm, VmmChoice::Auto);
    EXPECT_EQ(back.network, NetworkChoice::User);
    EXPECT_EQ(back.loopback, LoopbackPolicy::Shielded);
    EXPECT_EQ(back.on_stop, StopPolicy::Keep);
    EXPECT_EQ(back.disk, 7 * gib);
    EXPECT_EQ(back.nat, Nat::On);
    EXPECT_EQ(back.storage, StorageChoice::DmSnapshot);
    EXPECT_EQ(back.overlay, 4 * gib);
    EXPECT_EQ(back.rates.disk, 5 * mib);
    EXPECT_EQ(back.rates.disk_operations, 100U);
    EXPECT_EQ(back.rates.network, 2 * mib);
}

TEST(VmRecordTest, EachMemberThatIsMissingOrWrongIsCorruptData)
{
    const auto good = to_json(spec());
    for (const auto& [key, value] : good.items()) {
        for (const nlohmann::json& bad :
             {nlohmann::json{}, nlohmann::json{nlohmann::json::array()}, nlohmann::json{"\xff../x"}}) {
            auto json = good;
            if (bad.is_null()) {
                json.erase(key);
            } else {
                json[key] = bad;
            }
            try {
                vm_spec_of(json);
                const bool newer = key == "disk_rate" || key == "disk_iops" || key == "network_rate" || key == "nat" ||
                                   key == "storage" || key == "overlay_bytes" || key == "home_in_image" ||
                                   key == "autostart";
                EXPECT_TRUE(key == "image" || key == "kernel" || (newer && bad.is_null()))
                    << key << " was taken as " << json[key].is_array();
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::CorruptData) << key;
            }
        }
    }
    for (const nlohmann::json& bad :
         {nlohmann::json{}, nlohmann::json{7}, nlohmann::json::array(), nlohmann::json{"x"}}) {
        EXPECT_THROW(vm_spec_of(bad), Error);
    }
}

TEST(VmRecordTest, AVmOfBeforeThereWasAnotherStorageHasAFile)
{
    auto json = to_json(spec());
    for (const auto* key : {"nat", "storage", "overlay_bytes"}) {
        json.erase(key);
    }
    EXPECT_EQ(vm_spec_of(json).storage, StorageChoice::File);
    EXPECT_EQ(vm_spec_of(json).nat, Nat::Off);
}

TEST(VmRecordTest, WhatItsImageSaysIsKeptWithAVm)
{
    auto of_pulled = spec();
    EXPECT_FALSE(to_json(of_pulled).contains("image_config"));
    EXPECT_FALSE(vm_spec_of(to_json(of_pulled)).image_config);
    of_pulled.image_config = ImageConfig{.entrypoint = {"/bin/x"}, .user = "app", .systemd = true};
    EXPECT_EQ(vm_spec_of(to_json(of_pulled)).image_config, of_pulled.image_config);
    auto json = to_json(of_pulled);
    json["image_config"]["entrypoint"] = 7;
    try {
        vm_spec_of(json);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    }
}

TEST(VmRecordTest, ChoicesAreReadByNameAndMistakesListThem)
{
    EXPECT_EQ(parse_vmm("qemu-tcg"), VmmChoice::QemuTcg);
    EXPECT_EQ(parse_network("user"), NetworkChoice::User);
    try {
        parse_network("bridge\x1b");
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("\"bridge?\""));
        EXPECT_THAT(error.what(), HasSubstr("auto, user, none, tap"));
    }
    EXPECT_THROW(parse_vmm(""), Error);
    EXPECT_THROW(parse_vmm("AUTO"), Error);
}

}  // namespace
}  // namespace banger::agent
