// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/name_program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

class NameProgramTest : public ::testing::Test {
protected:
    std::filesystem::path program(const std::string& script) const
    {
        const auto path = folder.path / "names";
        std::ofstream{path} << "#!/bin/sh\n" << script;
        ::chmod(path.c_str(), 0700);
        return path;
    }
    static std::pair<ErrorCode, std::string> refusal_of(const std::filesystem::path& path,
                                                        const std::stop_token& late = {})
    {
        try {
            return {ErrorCode::Internal, print_name(path, late)};
        } catch (const Error& error) {
            return {error.code(), error.what()};
        }
    }

    test::TemporaryFolder folder;
};

TEST_F(NameProgramTest, TheFirstLineIsTheName)
{
    EXPECT_EQ(print_name(program("echo '  calm-otter '\necho more\n"), {}), "calm-otter");
    EXPECT_EQ(print_name(program("printf calm-otter"), {}), "calm-otter");
}

TEST_F(NameProgramTest, WhatIsNoNameIsRepeatedAndRefused)
{
    for (const auto* script : {"echo 'Calm Otter'", "printf '../x'", "true", "printf '\\033[31mred'"}) {
        const auto [code, sentence] = refusal_of(program(script));
        EXPECT_EQ(code, ErrorCode::InvalidArgument) << sentence;
        EXPECT_THAT(sentence, HasSubstr("namegen_path, ")) << script;
        EXPECT_EQ(sentence.find('\033'), std::string::npos);
    }
}

TEST_F(NameProgramTest, AProgramThatFailsOrIsNotThereIsNamed)
{
    auto [code, sentence] = refusal_of(program("echo no names left >&2; exit 3"));
    EXPECT_EQ(code, ErrorCode::Failed);
    EXPECT_THAT(sentence, HasSubstr("no names left"));
    std::tie(code, sentence) = refusal_of(folder.path / "none");
    EXPECT_EQ(code, ErrorCode::HostLacks);
    EXPECT_THAT(sentence, HasSubstr("can't be run"));
}

TEST_F(NameProgramTest, OneThatHangsIsEnded)
{
    std::stop_source late;
    std::jthread limit{[&late] {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        late.request_stop();
    }};
    const auto begin = std::chrono::steady_clock::now();
    const auto [code, sentence] = refusal_of(program("sleep 60"), late.get_token());
    EXPECT_EQ(code, ErrorCode::TimedOut) << sentence;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{20});
}

}  // namespace
}  // namespace banger::agent
