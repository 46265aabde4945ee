// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/debian.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/system/image/distribution.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string suite_refusal(const std::string& suite)
{
    try {
        check_suite(suite);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
    return "";
}

TEST(DebianTest, ASuiteIsOneThatWeKnow)
{
    EXPECT_EQ(suite_refusal("bookworm"), "");
    EXPECT_EQ(suite_refusal("trixie"), "");
    EXPECT_EQ(suite_refusal("jammy"), "");
    EXPECT_EQ(suite_refusal("noble"), "");
    EXPECT_EQ(suite_refusal(host_suite()), "");
    EXPECT_THAT(suite_refusal("bookwrm"), HasSubstr("did you mean bookworm?"));
    EXPECT_THAT(suite_refusal("sid"), HasSubstr("there are bookworm, trixie, jammy, noble"));
    EXPECT_NE(suite_refusal(""), "");
    EXPECT_NE(suite_refusal("../trixie"), "");
    EXPECT_LT(suite_refusal(std::string(100'000, 'x')).size(), 200U);
}

TEST(DebianTest, EachSourceIsSignedByTheKeysOfItsOwnDistribution)
{
    for (const auto& distribution : distributions()) {
        for (const auto suite : distribution.suites) {
            const auto lines = public_source_lines(std::string{suite});
            EXPECT_EQ(lines.size(), 3U);
            EXPECT_THAT(lines, ::testing::Each(::testing::StartsWith(
                                   "deb [signed-by=" + std::string{distribution.keyring} + "] http")));
        }
    }
}

TEST(DebianTest, KeysThatAreNotInstalledAreNamedWithTheirPackage)
{
    for (auto distribution : distributions()) {
        distribution.keyring = "/no/such/keyring.gpg";
        try {
            check_keys(distribution);
            ADD_FAILURE() << distribution.name;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::HostLacks);
            EXPECT_THAT(error.what(), ::testing::EndsWith("apt install " + std::string{distribution.keyring_package}));
        }
        distribution.keyring = "/dev/null";
        EXPECT_NO_THROW(check_keys(distribution));
    }
}

class RunStepTest : public ::testing::Test {
protected:
    Error failure(const std::string& script)
    {
        try {
            run_step("a step", {"/bin/sh", "-c", script}, log, progress);
        } catch (const Error& error) {
            return error;
        }
        return Error{ErrorCode::Internal, "it went well"};
    }

    test::TemporaryFolder folder;
    std::filesystem::path log{folder.path / "image.log"};
    std::stop_source stop;
    MakingProgress progress{[](const std::string&) {}, stop.get_token()};
};

TEST_F(RunStepTest, ItsOutputGoesToTheLogAndToWhoListens)
{
    std::vector<std::string> lines;
    run_step("a step", {"/bin/sh", "-c", "echo $LC_ALL $DEBIAN_FRONTEND $MORE; echo two >&2"}, log, progress,
             [&](std::string_view line) { lines.emplace_back(line); }, {"MORE=more"});
    EXPECT_THAT(lines, ::testing::ElementsAre("C.UTF-8 noninteractive more", "two"));
    std::ifstream stream{log};
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    EXPECT_EQ(text, "C.UTF-8 noninteractive more\ntwo\n");
}

TEST_F(RunStepTest, AFailureSaysItsLastLinesAndWhereTheRestIs)
{
    const auto error = failure("for i in 1 2 3 4 5 6 7; do echo line $i; done; exit 3");
    EXPECT_EQ(error.code(), ErrorCode::Failed);
    EXPECT_THAT(error.what(), HasSubstr("a step failed: line 4\nline 5\nline 6\nline 7 (the log is "));
    EXPECT_THAT(error.what(), Not(HasSubstr("line 3")));
    EXPECT_THAT(error.what(), HasSubstr(log.string()));
    EXPECT_THAT(failure("exit 1").what(), HasSubstr("it said nothing"));
    EXPECT_THAT(failure("echo; echo; exit 1").what(), HasSubstr("it said nothing"));
    EXPECT_THAT(failure("printf x; exit 1").what(), HasSubstr("failed: x (the"));
    EXPECT_THAT(failure("printf '\\nx\\n'; kill -9 $$").what(), HasSubstr("x"));
}

TEST_F(RunStepTest, AFullDiskAndARefusedNamespaceAreToldApart)
{
    for (const auto* said : {"write: No space left on device", "Disk quota exceeded",
                             "E: You don't have enough free space in /var/cache/apt/archives/."}) {
        const auto error = failure(std::string{"echo \""} + said + "\"; exit 100");
        EXPECT_EQ(error.code(), ErrorCode::NoSpace) << said;
        EXPECT_THAT(error.what(), HasSubstr("make room in " + folder.path.string()));
    }
    for (const auto* said : {"unshare: unshare failed: Operation not permitted",
                             "unshare: write failed /proc/self/uid_map: Operation not permitted"}) {
        const auto error = failure(std::string{"echo '"} + said + "'; exit 1");
        EXPECT_EQ(error.code(), ErrorCode::HostLacks) << said;
        EXPECT_THAT(error.what(), HasSubstr("sysctl"));
    }
}

TEST_F(RunStepTest, AStepThatIsCancelledEnds)
{
    stop.request_stop();
    EXPECT_EQ(failure("read forever < /dev/zero").code(), ErrorCode::Cancelled);
}

}  // namespace
}  // namespace banger::agent
