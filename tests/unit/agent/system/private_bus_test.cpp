// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/private_bus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "agent/system/subprocess.hpp"
#include "agent/system/unix_socket.hpp"
#include "common/error.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class PrivateBusTest : public ::testing::Test {
protected:
    static Error refusal(const fs::path& folder)
    {
        try {
            const PrivateBus bus{folder};
        } catch (const Error& error) {
            return error;
        }
        ADD_FAILURE() << "it was taken";
        return Error{ErrorCode::Internal, ""};
    }
    static bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

    test::TemporaryFolder root;
};

TEST_F(PrivateBusTest, AFolderThatOthersMayEnterIsRefused)
{
    for (const auto mode : {0755U, 0710U, 0701U, 0770U}) {
        const auto folder = root.path / std::to_string(mode);
        fs::create_directory(folder);
        ASSERT_EQ(::chmod(folder.c_str(), mode), 0);
        const auto error = refusal(folder);
        EXPECT_EQ(error.code(), ErrorCode::NotAuthorized);
        EXPECT_THAT(error.what(), HasSubstr("chmod 700"));
    }
}

TEST_F(PrivateBusTest, AFolderOfAnotherUserIsRefused)
{
    fs::path folder{"/root"};  // another's to everybody but root
    if (::geteuid() == 0) {
        folder = root.path / "theirs";
        fs::create_directory(folder);
        fs::permissions(folder, fs::perms::owner_all);
        constexpr uid_t nobody = 65534;
        if (::chown(folder.c_str(), nobody, nobody) != 0) {
            GTEST_SKIP() << "this root may give no file away";
        }
    }
    EXPECT_EQ(refusal(folder).code(), ErrorCode::NotAuthorized);
}

TEST_F(PrivateBusTest, ALinkOrAFileIsRefused)
{
    fs::create_directory(root.path / "real");
    fs::permissions(root.path / "real", fs::perms::owner_all);
    fs::create_directory_symlink("real", root.path / "link");
    EXPECT_EQ(refusal(root.path / "link").code(), ErrorCode::NotAuthorized);
    std::ofstream{root.path / "file"} << "x";
    EXPECT_EQ(refusal(root.path / "file").code(), ErrorCode::NotAuthorized);
}

TEST_F(PrivateBusTest, ItServesAFolderWithASpaceAndAPercentAndEndsWithItsOwner)
{
    const auto folder = root.path / "a b%41<&>";
    {
        const PrivateBus bus{folder};
        EXPECT_THAT(bus.address(), EndsWith("/a%20b%2541%3c%26%3e/bangerd.sock"));
        const auto connection = bus::open_bus(bus.address());
        EXPECT_THAT(std::string{connection->getUniqueName()}, ::testing::StartsWith(":1."));
        EXPECT_TRUE(connect_in(folder, "bangerd.sock"));
        struct stat status {};
        ASSERT_EQ(::stat(folder.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0700U);
    }
    EXPECT_FALSE(has_children());
    EXPECT_THROW(connect_in(folder, "bangerd.sock"), Error);
}

TEST_F(PrivateBusTest, ASocketThatAKilledOneLeftIsReplaced)
{
    const auto folder = root.path / "bus";
    fs::create_directory(folder);
    fs::permissions(folder, fs::perms::owner_all);
    {
        const auto stale = listen_in(folder, "bangerd.sock");
    }
    const PrivateBus bus{folder};
    EXPECT_TRUE(bus::open_bus(bus.address()));
}

TEST_F(PrivateBusTest, AProgramThatDoesNotStartLeavesNoProcessBehind)
{
    const std::string before = std::getenv("PATH");
    const auto fake = root.path / "dbus-daemon";
    for (const auto* script :
         {"#!/bin/sh\nexit 1\n", "#!/bin/sh\nexec 3>&-\nexec cat /dev/zero >/dev/null\n", "no program"}) {
        std::ofstream{fake} << script;
        fs::permissions(fake, fs::perms::owner_all);
        ::setenv("PATH", (root.path.string() + ":" + before).c_str(), 1);
        const auto error = refusal(root.path / "bus");
        ::setenv("PATH", before.c_str(), 1);
        EXPECT_EQ(error.code(), ErrorCode::Failed) << error.what();
        EXPECT_FALSE(has_children());
    }
}

}  // namespace
}  // namespace banger::agent
