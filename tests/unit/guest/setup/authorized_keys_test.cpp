// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/authorized_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest {
namespace {

namespace fs = std::filesystem;

const std::string head = "# banger: keys of the host's user, replaced at each boot\n";
const std::string tail = "# banger: end\n";

TEST(AuthorizedKeysTest, OurBlockIsReplacedAndLinesOfOthersStay)
{
    const auto first = with_keys("ssh-rsa mine\n", {"ssh-ed25519 A", "ssh-ed25519 B"});
    EXPECT_EQ(first, "ssh-rsa mine\n" + head + "ssh-ed25519 A\nssh-ed25519 B\n" + tail);
    EXPECT_EQ(with_keys(first + "ssh-rsa later", {"ssh-ed25519 C"}),
              "ssh-rsa mine\nssh-rsa later\n" + head + "ssh-ed25519 C\n" + tail);
    EXPECT_EQ(with_keys(first, {}), "ssh-rsa mine\n");
}

TEST(AuthorizedKeysTest, DoingItTwiceIsTheSameAsOnce)
{
    const auto once = with_keys("a\n\nb", {"k"});
    EXPECT_EQ(with_keys(once, {"k"}), once);
}

TEST(AuthorizedKeysTest, AKeyIsOneLine) { EXPECT_EQ(with_keys("", {"k\nssh-rsa smuggled"}), head + "k\n" + tail); }

TEST(AuthorizedKeysTest, OurMarksAloneAreNoBlock) { EXPECT_EQ(with_keys(tail + "a\n", {}), tail + "a\n"); }

TEST(AuthorizedKeysTest, BehindABeginningWithoutAnEndNothingIsLost)
{
    EXPECT_EQ(with_keys("ssh-rsa mine\n" + head + "ssh-rsa later\n", {"k"}),
              "ssh-rsa mine\nssh-rsa later\n" + head + "k\n" + tail);
    EXPECT_EQ(with_keys(head + "ssh-rsa mine\n" + head + "old\n" + tail + "ssh-rsa later\n", {"k"}),
              "ssh-rsa mine\nssh-rsa later\n" + head + "k\n" + tail);
    EXPECT_EQ(with_keys(head + "ssh-rsa mine\n", {}), "ssh-rsa mine\n");
}

class SetAuthorizedKeysTest : public testing::Test {
protected:
    ino_t inode() const
    {
        struct stat status {};
        return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
    }
    agent::test::TemporaryFolder folder;
    Rooted root{test::contained(folder.path.string())};
    fs::path file{folder.path / "root/.ssh/authorized_keys"};
};

TEST_F(SetAuthorizedKeysTest, FolderAndFileAreForRootAlone)
{
    set_authorized_keys(root, {"k"});
    EXPECT_EQ(root.read("/root/.ssh/authorized_keys"), head + "k\n" + tail);
    EXPECT_EQ(fs::status(file).permissions(), fs::perms{0600});
    EXPECT_EQ(fs::status(file.parent_path()).permissions(), fs::perms{0700});
}

TEST_F(SetAuthorizedKeysTest, WithoutKeysNothingIsMade)
{
    set_authorized_keys(root, {});
    EXPECT_FALSE(fs::exists(folder.path / "root"));
}

TEST_F(SetAuthorizedKeysTest, TheSameKeysAreNotWrittenAgain)
{
    set_authorized_keys(root, {"k"});
    const auto before = inode();
    set_authorized_keys(root, {"k"});
    EXPECT_EQ(inode(), before);
    set_authorized_keys(root, {"other"});
    EXPECT_THAT(root.read("/root/.ssh/authorized_keys").value_or(""),
                testing::Not(testing::HasSubstr("k\n# banger: end")));
}

}  // namespace
}  // namespace banger::guest
