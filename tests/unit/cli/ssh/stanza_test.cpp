// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ssh/stanza.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(SshStanza, HoldsForVmsAlone)
{
    const auto stanza = ssh_stanza("/usr/bin/banger", "/home/u/.local/state/banger/ssh/id_ed25519");
    EXPECT_THAT(stanza, StartsWith("Host *.vm\n"));
    for (std::size_t at = stanza.find('\n') + 1; at < stanza.size(); at = stanza.find('\n', at) + 1) {
        EXPECT_EQ(stanza.substr(at, 4), "    ") << "nothing of it is outside of that block";
    }
    EXPECT_THAT(stanza, HasSubstr("ProxyCommand \"/usr/bin/banger\" internal connect '%h' %p\n"));
    EXPECT_THAT(stanza, HasSubstr("StrictHostKeyChecking yes\n"));
}

TEST(SshStanza, PathsMeanNothingElseToSsh)
{
    EXPECT_THAT(ssh_stanza("/opt/100% sure/banger", "/k"), HasSubstr("\"/opt/100%% sure/banger\""));
    for (const auto* path : {"/a\"b", "/a\nHost *", "/a$HOME", "/a`b`", "/a\\b"}) {
        EXPECT_THROW(ssh_stanza(path, "/k"), Error) << path;
        EXPECT_THROW(ssh_stanza("/b", path), Error) << path;
    }
}

TEST(SshStanza, AnOptionHoldsAFileWhateverItIsCalled)
{
    EXPECT_EQ(ssh_option("IdentityFile", "/home/a b/100%"), "IdentityFile=\"/home/a b/100%%\"");
    EXPECT_EQ(ssh_option("UserKnownHostsFile", "/home/a b/x"), "UserKnownHostsFile=\"/home/a b/x\"");
    EXPECT_EQ(ssh_option("ProxyCommand", "'/opt/a b' %p"), "ProxyCommand='/opt/a b' %p") << "the shell's, as it is";
    EXPECT_THROW(ssh_option("IdentityFile", "/a\"b"), Error);
}

TEST(SshStanza, TheLineIncludesThatFileAndNoPattern)
{
    EXPECT_EQ(include_line("/home/a b/ssh_config"), "Include \"/home/a b/ssh_config\"");
    for (const auto* path : {"/a*", "/a?", "/[a]", "/a\"", "/a\n"}) {
        EXPECT_THROW(include_line(path), Error) << path;
    }
}

}  // namespace
}  // namespace banger::cli
