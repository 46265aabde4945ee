// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/user_watch.hpp"

#include <gtest/gtest.h>
#include <systemd/sd-event.h>

#include <fstream>
#include <utility>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::broker {
namespace {

TEST(UserWatch, UsersWhoComeGoOrGetANameAreToldAndNothingElse)
{
    const agent::test::TemporaryFolder folder;
    const auto passwd = folder.path / "passwd";
    std::ofstream{passwd} << "alice";
    EventLoop loop;
    int told = 0;
    const UserWatch watch{loop, [&told] { ++told; }, folder.path};
    const auto run = [&] {
        while (sd_event_run(loop.get(), 0) > 0) {
        }
        return std::exchange(told, 0);
    };
    EXPECT_EQ(run(), 0);
    std::ofstream{folder.path / "passwd+"} << "alicia";
    std::ofstream{folder.path / "group"} << "banger";
    EXPECT_EQ(run(), 0) << "neither is the file";
    std::filesystem::rename(folder.path / "passwd+", passwd);
    EXPECT_EQ(run(), 1) << "as usermod does it";
    {
        std::ofstream file{passwd};
        file << "bob" << std::flush;
        EXPECT_EQ(run(), 0) << "it is not whole yet";
    }
    EXPECT_EQ(run(), 1) << "as an editor does it";
}

TEST(UserWatch, AFolderThatIsNotThereIsAnError)
{
    const agent::test::TemporaryFolder folder;
    EventLoop loop;
    EXPECT_THROW((UserWatch{loop, [] {}, folder.path / "none"}), Error);
}

}  // namespace
}  // namespace banger::broker
