// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/remote/ssh_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::cli {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

TEST(SshHostTest, ReadsItsParts)
{
    EXPECT_EQ(parse_ssh_host("ssh://build-1.example"), (SshHost{"build-1.example", "", ""}));
    EXPECT_EQ(parse_ssh_host("ssh://alice@build_box:2222"), (SshHost{"build_box", "alice", "2222"}));
    EXPECT_EQ(parse_ssh_host("ssh://192.0.2.7/"), (SshHost{"192.0.2.7", "", ""}));
    EXPECT_EQ(parse_ssh_host("ssh://alice@[2001:db8::7]:22"), (SshHost{"2001:db8::7", "alice", "22"}));
    EXPECT_EQ(parse_ssh_host("ssh://[fe80::1%eth0]"), (SshHost{"fe80::1%eth0", "", ""}));
}

TEST(SshHostTest, RefusesWhatSshCouldTakeForSomethingElse)
{
    for (const auto* text : {"",
                             "host",
                             "http://host",
                             "ssh:/host",
                             "ssh://",
                             "ssh://-oProxyCommand=x",
                             "ssh://alice@-x",
                             "ssh://-l@host",
                             "ssh://@host",
                             "ssh://a@b@c",
                             "ssh://host:0",
                             "ssh://host:65536",
                             "ssh://host:",
                             "ssh://host:22x",
                             "ssh://host/path",
                             "ssh://host name",
                             "ssh://host\nx",
                             "ssh://ho$(id)st",
                             "ssh://[2001:db8::7",
                             "ssh://[]",
                             "ssh://[2001:db8::7]x"}) {
        try {
            parse_ssh_host(text);
            ADD_FAILURE() << text << " was taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), HasSubstr("ssh://[USER@]HOST[:PORT]"));
        }
    }
}

TEST(SshHostTest, WordsGoOverAsTheyAre)
{
    const auto words =
        ssh_words({"host", "alice", "2222"}, RemoteTerminal::Own, {"vm", "exec", "x", "--", "it's", "$HOME", ""});
    ASSERT_EQ(words.size(), 9U);
    EXPECT_THAT(std::vector<std::string>(words.begin(), words.end() - 1),
                ElementsAre("ssh", "-t", "-p", "2222", "-l", "alice", "--", "host"));
    EXPECT_THAT(words.back(), EndsWith(R"( banger 'vm' 'exec' 'x' '--' 'it'\''s' '$HOME' '')"));
}

TEST(SshHostTest, WithoutATerminalSomebodyLooksAfterTheConnection)
{
    const auto words = ssh_words({"host", "", ""}, RemoteTerminal::None, {"vm", "list"});
    EXPECT_THAT(std::vector<std::string>(words.begin(), words.end() - 1), ElementsAre("ssh", "-T", "--", "host"));
    EXPECT_THAT(words.back(), EndsWith(" banger internal attached -- 'vm' 'list'"));
    EXPECT_THAT(ssh_words({"host", "", ""}, RemoteTerminal::Shown, {"vm", "list"}).back(),
                EndsWith(" banger internal attached --shown -- 'vm' 'list'"));
}

TEST(SshHostTest, IsTakenOffTheHeadOfALine)
{
    const std::vector<std::string> rest{"vm", "list", "-H"};
    for (const auto& head : std::vector<std::vector<std::string>>{
             {"-H", "ssh://x"}, {"--host", "ssh://x"}, {"--host=ssh://x"}, {"-Hssh://x"}}) {
        auto line = head;
        line.insert(line.end(), rest.begin(), rest.end());
        const auto split = split_host(line);
        EXPECT_EQ(split.host, "ssh://x");
        EXPECT_EQ(split.rest, rest);
    }
    EXPECT_EQ(split_host({"vm", "-H", "x"}).host, std::nullopt);
    EXPECT_THAT(split_host({"-H"}).rest, ElementsAre("-H")) << "for the parser to refuse";
    EXPECT_EQ(split_host({"-H", "", "vm"}).host, "") << "of a variable that is not set: it must not run here";
    EXPECT_EQ(split_host({"--host=", "vm"}).host, "");
    EXPECT_THAT(split_host({}).rest, ElementsAre());
}

}  // namespace
}  // namespace banger::cli
