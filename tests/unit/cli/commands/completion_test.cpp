// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/completion.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/command_line.hpp"

namespace banger::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

Completion completion_of(const std::vector<std::string>& words)
{
    Context context;
    return complete(make_command_line(context).root(), words);
}

TEST(Complete, OffersCommands)
{
    EXPECT_THAT(completion_of({""}).words, IsSupersetOf({"vm", "image", "runtime", "doctor", "tui"}));
    EXPECT_THAT(completion_of({""}).words, Not(Contains("internal")));
    EXPECT_THAT(completion_of({"vm", "st"}).words, IsSupersetOf({"start", "stop"}));
}

TEST(Complete, OffersOptions)
{
    EXPECT_THAT(completion_of({"vm", "run", "--m"}).words, IsSupersetOf({"--memory", "--rm"}));
    EXPECT_THAT(completion_of({"runtime", "fetch", "-"}).words, IsSupersetOf({"--from", "--json"}));
    EXPECT_THAT(completion_of({"--"}).words, Contains("--version"));
    EXPECT_THAT(completion_of({"tui", "-"}).words, Contains("--no-mouse"));
}

TEST(Complete, OffersValuesOfOptions)
{
    EXPECT_THAT(completion_of({"vm", "list", "--format", ""}).words, Contains("json"));
    EXPECT_THAT(completion_of({"vm", "logs", "--which", ""}).words, ElementsAre("console", "vmm"));
    EXPECT_EQ(completion_of({"vm", "run", "--image", ""}).names, NameSource::Images);
    EXPECT_EQ(completion_of({"vm", "run", "--rm", ""}).names, NameSource::None) << "a flag has no value";
}

TEST(Complete, OffersTheOptionsOfTransfers)
{
    EXPECT_THAT(completion_of({"vm", "export", "--"}).words,
                IsSupersetOf({"--output", "--with-image", "--plain", "--stop"}));
    EXPECT_EQ(completion_of({"vm", "export", ""}).names, NameSource::Vms);
    EXPECT_EQ(completion_of({"vm", "import", ""}).names, NameSource::None)
        << "a file's name is the shell's to complete";
    EXPECT_THAT(completion_of({"vm", "set", "x", "--"}).words, Contains("--autostart"));
    EXPECT_THAT(completion_of({"daemon", "enable", "--"}).words, Contains("--at-boot"));
    EXPECT_THAT(completion_of({"--"}).words, Contains("--host"));
}

TEST(Complete, OffersNames)
{
    EXPECT_EQ(completion_of({"vm", "stop", ""}).names, NameSource::Vms);
    EXPECT_EQ(completion_of({"vm", "rm", "-f", "a", ""}).names, NameSource::Vms);
    EXPECT_EQ(completion_of({"vm", "cp", "x", ""}).names, NameSource::VmPaths);
    EXPECT_EQ(completion_of({"image", "delete", ""}).names, NameSource::Images);
    EXPECT_EQ(completion_of({"kernel", "show", ""}).names, NameSource::Kernels);
    EXPECT_EQ(completion_of({"image", "build", ""}).names, NameSource::None);
    EXPECT_EQ(completion_of({"runtime", "show", ""}).names, NameSource::None);
}

TEST(Complete, LeavesWordsForTheGuestAlone)
{
    const auto completion = completion_of({"vm", "exec", "a", "--", "v"});
    EXPECT_THAT(completion.words, IsEmpty());
    EXPECT_EQ(completion.names, NameSource::None);
}

TEST(Complete, OffersNothingBehindAnUnknownCommand) { EXPECT_THAT(completion_of({"frob", ""}).words, IsEmpty()); }

}  // namespace
}  // namespace banger::cli
