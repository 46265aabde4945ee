// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/image_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ImageUse as_exec{.settings = true};
constexpr ImageUse as_run{.settings = true, .entrypoint = true};
constexpr ImageUse as_run_without_words{.settings = true, .own_command = true};

Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

GuestCommand command_with(std::initializer_list<std::string_view> words)
{
    GuestCommand command;
    for (const auto word : words) {
        command.argv.push_back(bytes(word));
    }
    return command;
}

std::vector<std::string> texts(const std::vector<Bytes>& list)
{
    std::vector<std::string> words;
    for (const auto& word : list) {
        words.emplace_back(word.begin(), word.end());
    }
    return words;
}

std::vector<std::string> argv_after(GuestCommand command, const std::optional<ImageConfig>& config, const ImageUse& use)
{
    apply_image(command, config, use, "x");
    return texts(command.argv);
}

ImageConfig server()
{
    return {.entrypoint = {"/bin/server"},
            .command = {"--port", "80"},
            .environment = {"PATH=/opt", "A=image"},
            .user = "app",
            .working_dir = "/srv",
            .stop_signal = "SIGQUIT"};
}

TEST(ImageCommandTest, WithoutWordsTheImageRunsItsOwn)
{
    EXPECT_THAT(argv_after(command_with({"shell"}), server(), as_run_without_words),
                ElementsAre("/bin/server", "--port", "80"));
    EXPECT_THAT(argv_after(command_with({}), server(), as_run_without_words),
                ElementsAre("/bin/server", "--port", "80"));
    EXPECT_THAT(argv_after(command_with({"shell"}), ImageConfig{.command = {"/bin/sh"}}, as_run_without_words),
                ElementsAre("/bin/sh"));
}

TEST(ImageCommandTest, WordsFollowTheEntrypointInPlaceOfItsCommand)
{
    EXPECT_THAT(argv_after(command_with({"--help"}), server(), as_run), ElementsAre("/bin/server", "--help"));
    EXPECT_THAT(argv_after(command_with({"ls", "/"}), ImageConfig{.command = {"sh"}}, as_run), ElementsAre("ls", "/"));
    EXPECT_THAT(argv_after(command_with({"ls"}), server(), as_exec), ElementsAre("ls"));
}

TEST(ImageCommandTest, AnImageThatBootsSystemdIsNotThereForItsEntrypoint)
{
    auto config = server();
    config.systemd = true;
    EXPECT_THAT(argv_after(command_with({"shell"}), config, as_run_without_words), ElementsAre("shell"));
    EXPECT_THAT(argv_after(command_with({"ls"}), config, as_run), ElementsAre("ls"));
}

TEST(ImageCommandTest, AnImageOfAnotherKindChangesNothing)
{
    auto command = command_with({"ls"});
    apply_image(command, std::nullopt, {true, true, true}, "debian");
    EXPECT_THAT(texts(command.argv), ElementsAre("ls"));
    EXPECT_TRUE(command.env.empty());
    EXPECT_EQ(command.user, "");
    EXPECT_EQ(command.stop_signal, 0);
    EXPECT_THAT(argv_after(command_with({"shell"}), ImageConfig{}, as_run_without_words), ElementsAre("shell"));
}

TEST(ImageCommandTest, SettingsStandBelowWhatIsGiven)
{
    auto command = command_with({"ls"});
    command.env = {bytes("A=mine")};
    apply_image(command, server(), as_exec, "x");
    EXPECT_THAT(texts(command.env), ElementsAre("PATH=/opt", "A=image", "A=mine")) << "the guest takes the last one";
    EXPECT_EQ(command.user, "app");
    EXPECT_EQ(texts({command.cwd}).front(), "/srv");
    EXPECT_EQ(command.stop_signal, 3);
    command = command_with({"ls"});
    command.user = "root";
    command.cwd = bytes("/tmp");
    apply_image(command, server(), as_exec, "x");
    EXPECT_EQ(command.user, "root");
    EXPECT_EQ(texts({command.cwd}).front(), "/tmp");
}

TEST(ImageCommandTest, WithoutTheFlagsABareCommandStaysBare)
{
    auto command = command_with({"ls"});
    apply_image(command, server(), {}, "x");
    EXPECT_THAT(texts(command.argv), ElementsAre("ls"));
    EXPECT_TRUE(command.env.empty());
    EXPECT_EQ(command.user, "") << "banger's own commands run as root";
}

TEST(ImageCommandTest, NoCommandAtAllIsTold)
{
    const auto failure = [](const std::optional<ImageConfig>& config, const ImageUse& use) {
        try {
            argv_after(command_with({}), config, use);
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("command"));
            return error.code();
        }
        return ErrorCode::Internal;
    };
    EXPECT_EQ(failure(std::nullopt, as_run_without_words), ErrorCode::NotFound);
    EXPECT_EQ(failure(ImageConfig{}, as_run_without_words), ErrorCode::NotFound);
    EXPECT_EQ(failure(std::nullopt, as_exec), ErrorCode::InvalidArgument);
    EXPECT_EQ(failure(ImageConfig{.entrypoint = {""}}, as_run_without_words), ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::agent
