// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/paths.hpp"

#include <gtest/gtest.h>

#include <map>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger {
namespace {

using Variables = std::map<std::string, std::string>;

Paths find(const Variables& variables)
{
    return find_paths([&](const char* name) {
        const auto at = variables.find(name);
        return at == variables.end() ? std::nullopt : std::optional{at->second};
    });
}

std::optional<ErrorCode> refusal(const Variables& variables)
{
    try {
        find(variables);
    } catch (const Error& error) {
        return error.code();
    }
    return std::nullopt;
}

TEST(PathsTest, AHomeIsEnough)
{
    const auto paths = find({{"HOME", "/home/ann"}});
    EXPECT_EQ(paths.state, "/home/ann/.local/state/banger");
    EXPECT_EQ(paths.cache, "/home/ann/.cache/banger");
    EXPECT_EQ(paths.config, "/home/ann/.config/banger/config.toml");
    EXPECT_EQ(paths.runtime, "/home/ann/.local/state/banger/run");
    EXPECT_EQ(paths.database(), paths.state / "banger.db");
    EXPECT_EQ(paths.log(), paths.state / "bangerd.log");
    EXPECT_EQ(paths.vms(), paths.state / "vms");
    EXPECT_EQ(paths.images(), paths.cache / "images");
    EXPECT_EQ(paths.kernels(), paths.cache / "kernels");
}

TEST(PathsTest, TheXdgVariablesComeFirstAndNeedNoHome)
{
    const agent::test::TemporaryFolder runtime;
    const auto paths = find({{"XDG_STATE_HOME", "/s"},
                             {"XDG_CACHE_HOME", "/c"},
                             {"XDG_CONFIG_HOME", "/k"},
                             {"XDG_RUNTIME_DIR", runtime.path.string()}});
    EXPECT_EQ(paths.state, "/s/banger");
    EXPECT_EQ(paths.cache, "/c/banger");
    EXPECT_EQ(paths.config, "/k/banger/config.toml");
    EXPECT_EQ(paths.runtime, runtime.path / "banger");
    EXPECT_EQ(paths.names, paths.runtime / "names" / paths.instance);
}

TEST(PathsTest, AnEmptyVariableIsNone)
{
    const auto paths = find({{"HOME", "/home/ann"}, {"XDG_STATE_HOME", ""}, {"XDG_RUNTIME_DIR", ""}});
    EXPECT_EQ(paths.state, "/home/ann/.local/state/banger");
    EXPECT_EQ(paths.runtime, paths.state / "run");
    EXPECT_TRUE(paths.names.empty());
}

TEST(PathsTest, ARuntimeFolderThatCanNotBeUsedIsPassedOver)
{
    const agent::test::TemporaryFolder folder;
    for (const auto& runtime : {std::string{"relative"}, (folder.path / "gone").string(), std::string{"/proc/self/exe"},
                                "/" + std::string(300, 'x'), std::string{"/proc/self/exe/below"}}) {
        EXPECT_EQ(find({{"HOME", "/home/ann"}, {"XDG_RUNTIME_DIR", runtime}}).runtime,
                  "/home/ann/.local/state/banger/run")
            << runtime;
    }
}

TEST(PathsTest, ARelativePathIsRefusedAndSoIsNoHomeAtAll)
{
    EXPECT_EQ(refusal({{"HOME", "/home/ann"}, {"XDG_STATE_HOME", "state"}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal({{"HOME", "/home/ann"}, {"XDG_CACHE_HOME", "./c"}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal({}), ErrorCode::HostLacks);
    EXPECT_EQ(refusal({{"HOME", ""}}), ErrorCode::HostLacks);
    EXPECT_EQ(refusal({{"HOME", "ann"}}), ErrorCode::HostLacks);
    EXPECT_EQ(refusal({{"XDG_STATE_HOME", "/s"}}), ErrorCode::HostLacks);
}

TEST(PathsTest, StateFoldersThatShareARuntimeFolderHaveNamesOfTheirOwnInIt)
{
    const auto instance = [](std::map<std::string, std::string> variables) {
        return find_paths([&](const char* name) {
                   const auto at = variables.find(name);
                   return at == variables.end() ? std::nullopt : std::optional{at->second};
               })
            .instance;
    };
    const agent::test::TemporaryFolder runtime;
    const auto with_state = [&](const char* state) {
        return instance({{"HOME", "/home/ann"}, {"XDG_STATE_HOME", state}, {"XDG_RUNTIME_DIR", runtime.path.string()}});
    };
    EXPECT_EQ(with_state("/home/ann/.local/state"), "bangerd");
    EXPECT_EQ(with_state("/srv/a"), with_state("/srv/a"));
    EXPECT_NE(with_state("/srv/a"), with_state("/srv/b"));
    EXPECT_NE(with_state("/srv/a"), "bangerd");
    EXPECT_EQ(instance({{"HOME", "/home/ann"}, {"XDG_STATE_HOME", "/srv/a"}}), "bangerd") << "in a folder of its own";
}

}  // namespace
}  // namespace banger
