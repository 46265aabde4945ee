// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/command_line.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/error.hpp"

namespace banger::cli {
namespace {

struct Result {
    int exit_code;
    std::string output;
    std::string errors;
};

/// Only lines that end before bangerd is needed.
Result run(std::vector<std::string> words)
{
    std::vector<char*> argv;
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    Context context;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_command_line(context, argv);
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

void expect_refusal(const std::vector<std::string>& words, const std::string& part)
{
    const auto result = run(words);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.output, "");
    EXPECT_NE(result.errors.find(part), std::string::npos) << result.errors;
}

TEST(CommandLine, SuggestsWhatWasMeant)
{
    expect_refusal({"vn"}, "did you mean vm?");
    expect_refusal({"vm", "lst"}, "did you mean list?");
    expect_refusal({"vm", "list", "--frmat", "json"}, "did you mean --format?");
    expect_refusal({"vm", "run", "--memry=1G"}, "did you mean --memory?");
}

TEST(CommandLine, NamesTheHelpOfTheCommandThatWasReached)
{
    expect_refusal({"frobnicate"}, "see: banger --help");
    expect_refusal({"vm"}, "see: banger vm --help");
    expect_refusal({"vm", "show"}, "see: banger vm show --help");
    expect_refusal({"image", "list", "--wrong"}, "see: banger image list --help");
}

TEST(CommandLine, SaysWhereACommandForTheGuestGoes) { expect_refusal({"vm", "exec", "calm-otter", "ls"}, "behind --"); }

TEST(CommandLine, RefusesAWorkspaceThatCantBeBeforeItLooksForBangerd)
{
    const auto refused = [](const std::vector<std::string>& words, ErrorCode code) {
        try {
            run(words);
            ADD_FAILURE() << words.back() << " was taken";
        } catch (const Error& error) {
            testing::internal::GetCapturedStdout();
            testing::internal::GetCapturedStderr();
            EXPECT_EQ(error.code(), code) << error.what();
        }
    };
    refused({"vm", "run", "--branch", "x"}, ErrorCode::InvalidArgument);
    refused({"vm", "run", "--include-untracked"}, ErrorCode::InvalidArgument);
    refused({"vm", "run", "/no/such/folder"}, ErrorCode::NotFound);
    refused({"vm", "workspace", "prepare", "vm", "/no/such/folder"}, ErrorCode::NotFound);
    refused({"vm", "workspace", "export", "vm", "/no/such/folder", "--branch"}, ErrorCode::NotFound);
    expect_refusal({"vm", "workspace", "export", "vm", "-o", "x", "--branch", "b"}, "excludes");
    expect_refusal({"vm", "workspace", "prepare", "vm"}, "PATH");
}

TEST(CommandLine, StartsNamedVmsOrMarkedOnes)
{
    for (const auto& words : std::vector<std::vector<std::string>>{{"vm", "start"}, {"vm", "start", "--marked", "x"}}) {
        try {
            run(words);
            ADD_FAILURE() << "it was taken";
        } catch (const Error& error) {
            testing::internal::GetCapturedStdout();
            testing::internal::GetCapturedStderr();
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        }
    }
}

TEST(CommandLine, TakesNoTailWhereNoneBelongs) { expect_refusal({"version", "--", "x"}, "takes no words behind --"); }

TEST(CommandLine, HelpsAtEveryLevel)
{
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"--help"}, {"vm", "--help"}, {"vm", "run", "--help"}, {"image", "build", "-h"}}) {
        const auto result = run(words);
        EXPECT_EQ(result.exit_code, 0);
        EXPECT_NE(result.output.find("Usage: "), std::string::npos) << result.output;
        EXPECT_EQ(result.output.find("internal"), std::string::npos) << "what others call is hidden";
    }
}

TEST(CommandLine, RefusesWithAnotherHostWhatWouldMeanSomethingElseThere)
{
    const auto refused = [](const std::vector<std::string>& words) {
        try {
            run(words);
        } catch (const Error& error) {
            testing::internal::GetCapturedStdout();
            testing::internal::GetCapturedStderr();
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            return std::string{error.what()};
        }
        return std::string{"it was taken"};
    };
    for (const auto* host : {"http://x", ""}) {
        EXPECT_NE(refused({"-H", host, "vm", "list"}).find("does not begin with ssh://"), std::string::npos) << host;
    }
    for (const auto& words : std::vector<std::vector<std::string>>{{"vm", "run", "."},
                                                                   {"vm", "cp", "notes", "calm-otter:"},
                                                                   {"vm", "cp", "calm-otter:/etc/hosts", "hosts"},
                                                                   {"vm", "cp", "--", "notes", "calm-otter:"},
                                                                   {"vm", "workspace", "prepare", "calm-otter", "."},
                                                                   {"image", "register", "root.ext4", "--name", "x"},
                                                                   {"image", "build", "--customize", "./script"},
                                                                   {"image", "build", "--base", "./root.ext4"},
                                                                   {"image", "build", "--packages", "lists/mine"},
                                                                   {"image", "pull", "oci:folder:tag"},
                                                                   {"image", "pull", "oci-archive:./file"},
                                                                   {"kernel", "import", "vmlinuz"},
                                                                   {"runtime", "fetch", "--from", "firecracker"}}) {
        std::vector<std::string> line{"-H", "ssh://host"};
        line.insert(line.end(), words.begin(), words.end());
        EXPECT_NE(refused(line).find("must be an absolute path there"), std::string::npos) << words[1];
    }
    for (const auto* path : {"[slug]", "[a,b]"}) {
        const auto named = "\"./" + std::string{path} + "\" must be an absolute path there";
        EXPECT_NE(refused({"-H", "ssh://host", "vm", "cp", path, "calm-otter:"}).find(named), std::string::npos)
            << path;
        EXPECT_NE(refused({"-H", "ssh://host", "vm", "cp", "calm-otter:x", path}).find(named), std::string::npos);
    }
    EXPECT_NE(refused({"-H", "ssh://host", "internal", "wake"}).find("takes no -H"), std::string::npos);
    expect_refusal({"-H", "ssh://host", "vm", "lst"}, "did you mean list?");
    expect_refusal({"vm", "list", "-H", "ssh://host"}, "goes before the command: banger -H ssh://HOST vm list");
    expect_refusal({"image", "list", "--version"}, "goes before the command: banger --version");
}

TEST(CommandLine, TellsItsVersion)
{
    EXPECT_EQ(run({"version"}).output, "banger " BANGER_VERSION "\n");
    EXPECT_EQ(run({"--version"}).output, "banger " BANGER_VERSION "\n");
}

TEST(CommandLine, KeepsWordsForTheGuestAsTheyAre)
{
    std::vector<std::string> words{"internal", "complete", "--", "", "[a,b]", "--", "-x", "\xff"};
    std::vector<char*> argv;
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    Context context;
    testing::internal::CaptureStdout();
    run_command_line(context, argv);
    testing::internal::GetCapturedStdout();
    EXPECT_EQ(context.tail, (std::vector<std::string>{"", "[a,b]", "--", "-x", "\xff"}));
}

}  // namespace
}  // namespace banger::cli
