// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/image_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

ErrorCode code_of_oci(const json& document)
{
    try {
        image_config_of_oci(document);
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::Internal;
}

TEST(ImageConfigTest, WhatAnImageSaysIsRead)
{
    const auto config = image_config_of_oci(json::parse(R"({"architecture": "amd64", "config": {
        "Entrypoint": ["/bin/server", ""], "Cmd": ["--port", "80"], "Env": ["PATH=/opt/bin:/bin", "EMPTY="], "User": "app:33",
        "WorkingDir": "/srv", "StopSignal": "SIGQUIT", "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Labels": {"a": "b"}}})"));
    EXPECT_THAT(config.entrypoint, ElementsAre("/bin/server", ""));
    EXPECT_THAT(config.command, ElementsAre("--port", "80"));
    EXPECT_THAT(config.environment, ElementsAre("PATH=/opt/bin:/bin", "EMPTY="));
    EXPECT_EQ(config.user, "app:33");
    EXPECT_EQ(config.working_dir, "/srv");
    EXPECT_EQ(config.stop_signal, "SIGQUIT");
    EXPECT_THAT(config.exposed_ports, ElementsAre("53/udp", "80/tcp"));
    EXPECT_FALSE(config.systemd);
}

TEST(ImageConfigTest, NothingAndNullAreNothing)
{
    EXPECT_EQ(image_config_of_oci(json::object()), ImageConfig{});
    EXPECT_EQ(image_config_of_oci(json::parse(R"({"config": null})")), ImageConfig{});
    EXPECT_EQ(
        image_config_of_oci(json::parse(R"({"config": {"Entrypoint": null, "Cmd": null, "Env": null, "User": null}})")),
        ImageConfig{});
}

TEST(ImageConfigTest, WhatAGuestWouldRefuseIsLeftOutOrMended)
{
    const auto config =
        image_config_of_oci(json::parse(R"({"config": {"Env": ["ALONE", "=x", "A=b"], "WorkingDir": "srv/app"}})"));
    EXPECT_THAT(config.environment, ElementsAre("A=b"));
    EXPECT_EQ(config.working_dir, "/srv/app");
}

TEST(ImageConfigTest, WhatIsOfAnotherTypeIsRefused)
{
    for (const auto* text : {R"([])", R"({"config": 7})", R"({"config": {"Cmd": "sh"}})", R"({"config": {"Cmd": [1]}})",
                             R"({"config": {"User": 33}})", R"({"config": {"ExposedPorts": ["80/tcp"]}})",
                             R"({"config": {"Cmd": ["a\u0000b"]}})", R"({"config": {"Env": {"A": "b"}}})"}) {
        EXPECT_EQ(code_of_oci(json::parse(text)), ErrorCode::CorruptData) << text;
    }
}

TEST(ImageConfigTest, NoMoreWordsAndBytesThanAGuestTakes)
{
    EXPECT_EQ(code_of_oci({{"config", {{"Cmd", std::vector<std::string>(1001, "a")}}}}), ErrorCode::CorruptData);
    EXPECT_EQ(code_of_oci({{"config", {{"Cmd", std::vector<std::string>{std::string(200'000, 'a')}}}}}),
              ErrorCode::CorruptData);
    EXPECT_EQ(
        code_of_oci(
            {{"config", {{"Cmd", std::vector<std::string>(600, "a")}, {"Env", std::vector<std::string>(600, "A=b")}}}}),
        ErrorCode::CorruptData)
        << "counted together";
    EXPECT_EQ(image_config_of_oci({{"config", {{"Cmd", std::vector<std::string>(1000, "a")}}}}).command.size(), 1000U);
}

TEST(ImageConfigTest, ItIsReadBackAsItWasWritten)
{
    const ImageConfig config{.entrypoint = {"/a b"},
                             .command = {"", "\xc3\xa4"},
                             .environment = {"A=b"},
                             .user = "1:2",
                             .working_dir = "/x",
                             .stop_signal = "9",
                             .exposed_ports = {"1/tcp"},
                             .systemd = true};
    EXPECT_EQ(image_config_of(to_json(config)), config);
    EXPECT_EQ(image_config_of(json::object()), ImageConfig{});
    for (const auto& bad : {json(7), json{{"systemd", 1}}, json{{"entrypoint", "x"}}, json{{"user", true}}}) {
        EXPECT_THROW(image_config_of(bad), Error) << bad;
    }
}

TEST(ImageConfigTest, AsMuchAsIsTakenIsReadBackToo)
{
    const json most{{"config", {{"Env", std::vector<std::string>(1000, "A=b")}, {"User", ""}}}};
    const auto config = image_config_of_oci(most);
    EXPECT_EQ(config.environment.size(), 1000U);
    EXPECT_EQ(image_config_of(to_json(config)), config);
    constexpr std::size_t limit = std::size_t{128} << 10U;
    const auto with_folder = [](std::size_t size) {
        return json{{"config", {{"Cmd", std::vector<std::string>{std::string(size, 'a')}}, {"WorkingDir", "x"}}}};
    };
    EXPECT_EQ(code_of_oci(with_folder(limit - 1)), ErrorCode::CorruptData) << "with the / that is put before it";
    EXPECT_EQ(image_config_of_oci(with_folder(limit - 2)).working_dir, "/x");
}

TEST(ImageConfigTest, StopSignalsAreNamesAndNumbers)
{
    const auto number = [](const char* text) {
        ImageConfig config;
        config.stop_signal = text;
        return stop_signal_of(config);
    };
    EXPECT_EQ(number("SIGTERM"), SIGTERM);
    EXPECT_EQ(number("QUIT"), SIGQUIT);
    EXPECT_EQ(number("9"), 9);
    EXPECT_EQ(number("SIGRTMIN+3"), 37);
    EXPECT_EQ(number("SIGRTMIN"), 34);
    for (const auto* none : {"", "0", "65", "-1", "SIG", "SIGWHAT", "SIGRTMIN+31", "SIGRTMIN+", "9 ", "SIGRTMIN+x"}) {
        EXPECT_EQ(number(none), 0) << none;
    }
}

}  // namespace
}  // namespace banger::agent
