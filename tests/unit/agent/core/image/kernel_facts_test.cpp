// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/kernel_facts.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace banger::agent {
namespace {

using namespace std::string_view_literals;

std::vector<std::uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

TEST(KernelFactsTest, TheVersionStandsInTheBanner)
{
    EXPECT_EQ(kernel_version(bytes_of("\0\0Linux version 6.1.0-37-cloud-amd64 (debian-kernel@x) #1"sv)),
              "6.1.0-37-cloud-amd64");
    EXPECT_EQ(kernel_version(bytes_of("Linux version %s (%s)\0Linux version 6.8.0+ (x)"sv)), "6.8.0+")
        << "a format is passed over";
}

TEST(KernelFactsTest, WhatIsNoVersionIsNone)
{
    EXPECT_FALSE(kernel_version({}));
    EXPECT_FALSE(kernel_version(bytes_of("Linux version ")));
    EXPECT_FALSE(kernel_version(bytes_of("Linux version 6.1.0")));
    EXPECT_FALSE(kernel_version(bytes_of("Linux version six (x)")));
    EXPECT_FALSE(kernel_version(bytes_of("Linux version 6\n.1 (x)")));
    EXPECT_FALSE(kernel_version(bytes_of("Linux version " + std::string(65, '1') + " (x)")));
    EXPECT_FALSE(kernel_version(bytes_of("Linux version ../6.1 (x)")));
}

TEST(KernelFactsTest, TheConfigurationStandsBetweenItsMarks)
{
    const auto whole = bytes_of("xxIKCFG_STpackedIKCFG_EDxx");
    const auto found = kernel_config(whole);
    EXPECT_EQ((std::string{found.begin(), found.end()}), "packed");
    EXPECT_TRUE(kernel_config(bytes_of("IKCFG_STpacked")).empty());
    EXPECT_TRUE(kernel_config(bytes_of("IKCFG_EDIKCFG_ST")).empty());
    EXPECT_TRUE(kernel_config({}).empty());
}

TEST(KernelFactsTest, AConfigurationDecidesWhatIsBuiltIn)
{
    const KernelPart part{"virtio_blk", "CONFIG_VIRTIO_BLK", "virtio_blk"};
    const auto named = bytes_of("\0virtio_blk\0"sv);
    EXPECT_TRUE(has_built_in({}, "CONFIG_X=y\nCONFIG_VIRTIO_BLK=y\n", part));
    EXPECT_TRUE(has_built_in({}, "CONFIG_VIRTIO_BLK=y\n", part));
    EXPECT_FALSE(has_built_in(named, "CONFIG_VIRTIO_BLK=m\n", part));
    EXPECT_FALSE(has_built_in(named, "# CONFIG_VIRTIO_BLK is not set\n", part));
    EXPECT_FALSE(has_built_in({}, "XCONFIG_VIRTIO_BLK=y\n", part));
}

TEST(KernelFactsTest, WithoutAConfigurationTheNameOfTheCodeDecides)
{
    const KernelPart part{"virtio_blk", "CONFIG_VIRTIO_BLK", "virtio_blk"};
    EXPECT_TRUE(has_built_in(bytes_of("\0virtio_blk\0"sv), "", part));
    EXPECT_FALSE(has_built_in(bytes_of("virtio_blk_probe\0"sv), "", part));
    EXPECT_FALSE(has_built_in({}, "", part));
}

}  // namespace
}  // namespace banger::agent
