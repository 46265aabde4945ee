// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/config_file.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::broker {
namespace {

TEST(ConfigFile, WithoutAFileTheDefaultsCount)
{
    const agent::test::TemporaryFolder folder;
    EXPECT_EQ(load_config(folder.path / "broker.toml").user.sandboxes, BrokerConfig{}.user.sandboxes);
}

TEST(ConfigFile, WhatItSaysCounts)
{
    const agent::test::TemporaryFolder folder;
    const auto file = folder.path / "broker.toml";
    std::ofstream{file} << std::string(5000, '#') << "\n[quota.user]\nsandboxes = 3\n";
    EXPECT_EQ(load_config(file).user.sandboxes, 3U);
}

TEST(ConfigFile, OneThatCanNotBeReadIsNoReasonForDefaults)
{
    const agent::test::TemporaryFolder folder;
    std::filesystem::create_symlink("loop", folder.path / "loop");
    for (const auto& unreadable : {folder.path, folder.path / "loop"}) {
        try {
            load_config(unreadable);
            ADD_FAILURE() << unreadable << " was taken";
        } catch (const Error& problem) {
            EXPECT_EQ(problem.code(), ErrorCode::InvalidArgument);
            EXPECT_NE(std::string{problem.what()}.find(unreadable), std::string::npos) << problem.what();
        }
    }
}

}  // namespace
}  // namespace banger::broker
