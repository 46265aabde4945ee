// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
protected:
    Settings settings(const Variables& own = {}) const { return {file, facts, own}; }
    void write(const std::string& text) const
    {
        // As editors do: a new file takes the name.
        std::ofstream{folder.path / "new"} << text;
        std::filesystem::rename(folder.path / "new", file);
    }
    static std::string refusal_of(Settings& settings, const Variables& caller)
    {
        try {
            settings.share(caller);
        } catch (const Error& error) {
            return error.what();
        }
        return "it was taken";
    }

    test::TemporaryFolder folder;
    std::filesystem::path file{folder.path / "config.toml"};
    HostFacts facts{8, std::uint64_t{32} << 30U, "/home/u"};
};

TEST_F(SettingsTest, AMistakeAtTheStartIsRefused)
{
    write("log_level = 'loud'\n");
    EXPECT_THROW(settings(), Error);
    write("");
    EXPECT_THROW(settings({{"BANGER_LOG_LEVEL", "loud"}}), Error);
    EXPECT_EQ(settings({{"BANGER_VCPU", "many"}}).now()->vcpus, 2U) << "that is each caller's";
}

TEST_F(SettingsTest, AChangedFileIsTakenAndAWrongOneIsToldOnce)
{
    write("log_level = 'warn'\n");
    auto all = settings();
    EXPECT_EQ(all.refresh(), std::nullopt);
    write("log_level = 'debug'\n");
    EXPECT_EQ(all.now()->log_level, "warn");
    EXPECT_EQ(all.refresh(), std::nullopt);
    EXPECT_EQ(all.now()->log_level, "debug");
    write("log_level = 'loud'\n");
    EXPECT_THAT(all.refresh().value_or(""), HasSubstr(":1: log_level: must be"));
    EXPECT_EQ(all.refresh(), std::nullopt);
    EXPECT_EQ(all.now()->log_level, "debug") << "it stays as it was";
    EXPECT_THROW(all.for_request({}), Error);
    std::filesystem::remove(file);
    EXPECT_EQ(all.refresh(), std::nullopt);
    EXPECT_EQ(all.now()->log_level, "info");
}

TEST_F(SettingsTest, KeysOfARequestAreItsCallersAndTheOthersBangerds)
{
    auto all = settings({{"BANGER_VCPU", "3"}, {"BANGER_RUNTIME_DIR", "/own"}});
    EXPECT_EQ(all.for_request({}).vcpus, 2U) << "what bangerd was started with is nobody's wish";
    const auto config = all.for_request({{"BANGER_VCPU", "4"}, {"BANGER_RUNTIME_DIR", "/callers"}});
    EXPECT_EQ(config.vcpus, 4U);
    EXPECT_EQ(config.runtime_dir, "/own");
}

TEST_F(SettingsTest, TheFirstClientThatNamesAVariableDecidesAndAnotherValueIsRefused)
{
    auto all = settings();
    all.share({{"BANGER_RUNTIME_DIR", "/a"}, {"BANGER_VCPU", "3"}, {"BANGER_COLOUR", "red"}});
    EXPECT_EQ(all.now()->runtime_dir, "/a");
    EXPECT_EQ(refusal_of(all, {{"BANGER_RUNTIME_DIR", "/a"}}), "it was taken");
    EXPECT_EQ(refusal_of(all, {}), "it was taken") << "who names none has no other";
    const auto refusal = refusal_of(all, {{"BANGER_RUNTIME_DIR", "/b"}, {"BANGER_FIRECRACKER_BIN", "/f"}});
    EXPECT_THAT(refusal, HasSubstr("BANGER_RUNTIME_DIR is /b, and bangerd runs with /a"));
    EXPECT_THAT(refusal, HasSubstr("banger daemon stop"));
    EXPECT_EQ(all.now()->runtime_dir, "/a");
    EXPECT_EQ(all.now()->firecracker_bin, "") << "nothing of a refused one is taken";
}

TEST_F(SettingsTest, WhatHoldsForAllIsToldByNameAlsoWhereItIsNotSet)
{
    auto all = settings({{"BANGER_LOG_LEVEL", "warn"}, {"BANGER_VCPU", "3"}});
    auto told = all.shared_variables();
    EXPECT_EQ(told.at("BANGER_LOG_LEVEL"), "warn");
    EXPECT_EQ(told.at("BANGER_RUNTIME_DIR"), "");
    EXPECT_FALSE(told.contains("BANGER_VCPU")) << "a request's own";
    EXPECT_TRUE(all.share({{"BANGER_RUNTIME_DIR", "/a"}}));
    EXPECT_EQ(all.shared_variables().at("BANGER_RUNTIME_DIR"), "/a");
    EXPECT_FALSE(all.share({{"BANGER_RUNTIME_DIR", "/a"}, {"BANGER_VCPU", "3"}})) << "it had that";
}

TEST_F(SettingsTest, TheLogLevelMayChangeAtAnyTime)
{
    auto all = settings({{"BANGER_LOG_LEVEL", "warn"}});
    EXPECT_EQ(all.now()->log_level, "warn");
    EXPECT_TRUE(all.share({{"BANGER_LOG_LEVEL", "debug"}}));
    EXPECT_EQ(all.now()->log_level, "debug");
}

TEST_F(SettingsTest, AWrongVariableIsRefusedAndAWrongFileIsNoReasonTo)
{
    auto all = settings();
    EXPECT_THAT(refusal_of(all, {{"BANGER_AUTO_STOP_STALE_AFTER", "soon"}}), HasSubstr("\"soon\" is not a duration"));
    EXPECT_EQ(all.now()->auto_stop_stale_after.count(), 0);
    write("log_level = 7\n");
    EXPECT_EQ(refusal_of(all, {{"BANGER_AUTO_STOP_STALE_AFTER", "1h"}}), "it was taken");
    write("");
    EXPECT_EQ(all.refresh(), std::nullopt);
    EXPECT_EQ(all.now()->auto_stop_stale_after.count(), 3600);
}

TEST(CheckSameFoldersTest, RefusesOtherFoldersAndSaysWhatMendsIt)
{
    const Variables same{{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/c"}};
    const auto paths = find_paths([&](const char* name) {
        const auto at = same.find(name);
        return at == same.end() ? std::nullopt : std::optional{at->second};
    });
    EXPECT_NO_THROW(check_same_folders(paths, same));
    EXPECT_NO_THROW(check_same_folders(paths, {})) << "who says nothing asks for nothing else";
    EXPECT_NO_THROW(
        check_same_folders(paths, {{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/c"}, {"XDG_RUNTIME_DIR", "/run/user/1"}}));
    for (const auto& other : {Variables{{"HOME", "/home/v"}, {"XDG_CACHE_HOME", "/c"}}, Variables{{"HOME", "/home/u"}},
                              Variables{{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/c"}, {"XDG_CONFIG_HOME", "/d"}}}) {
        try {
            check_same_folders(paths, other);
            ADD_FAILURE() << "they differ";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::WrongState);
            EXPECT_THAT(error.what(), HasSubstr("banger daemon stop"));
            EXPECT_THAT(error.what(), HasSubstr("dbus-update-activation-environment --systemd XDG_"));
        }
    }
}

}  // namespace
}  // namespace banger::agent
