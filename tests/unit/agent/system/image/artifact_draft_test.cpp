// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/artifact_draft.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

class ArtifactDraftTest : public ::testing::Test {
protected:
    ErrorCode refusal() const
    {
        try {
            const ArtifactDraft work{draft};
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    }

    test::TemporaryFolder folder;
    std::filesystem::path draft{folder.path / ".new-web"};
};

/// A process that is in the midst of making a draft, and does what it is told with that until killed.
class OtherMaker {
public:
    OtherMaker(const std::filesystem::path& draft, const std::function<void(const UniqueFd& hold)>& then)
    {
        int ready[2];
        int held[2];
        if (::pipe(ready) < 0 || ::pipe(held) < 0) {
            return;
        }
        const UniqueFd ready_read{ready[0]};
        UniqueFd ready_write{ready[1]};
        UniqueFd hold{held[0]};
        let_go_ = UniqueFd{held[1]};
        pid_ = ::fork();
        if (pid_ == 0) {
            let_go_.reset();
            [&]() noexcept {  // what is thrown ends it here, and not in a second gtest
                const ArtifactDraft work{draft};
                std::ofstream{work.file("half")} << "x";
                then(hold);
                [[maybe_unused]] const auto told = ::write(ready_write.get(), "y", 1);
                wait_on(hold);
                ::_exit(0);
            }();
        }
        ready_write.reset();
        char word = 0;
        is_at_work_ = ::read(ready_read.get(), &word, 1) == 1;
    }
    OtherMaker(const OtherMaker&) = delete;
    OtherMaker& operator=(const OtherMaker&) = delete;
    ~OtherMaker() { kill(); }

    bool is_at_work() const { return is_at_work_; }
    void kill()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }
    /// Until the test ends.
    static void wait_on(const UniqueFd& hold)
    {
        char word = 0;
        [[maybe_unused]] const auto end = ::read(hold.get(), &word, 1);
    }

private:
    UniqueFd let_go_;
    pid_t pid_{-1};
    bool is_at_work_{false};
};

TEST_F(ArtifactDraftTest, WhatIsNotKeptIsGone)
{
    {
        const ArtifactDraft work{draft};
        std::ofstream{work.file("rootfs.ext4")} << "x";
        EXPECT_TRUE(std::filesystem::is_directory(work.scratch()));
    }
    EXPECT_FALSE(std::filesystem::exists(draft));
}

TEST_F(ArtifactDraftTest, WhatIsKeptIsReadOnlyAndWithoutScratch)
{
    {
        ArtifactDraft work{draft};
        std::ofstream{work.file("rootfs.ext4")} << "x";
        work.keep();
    }
    EXPECT_FALSE(std::filesystem::exists(draft / "scratch"));
    EXPECT_EQ(std::filesystem::status(draft / "rootfs.ext4").permissions(), std::filesystem::perms{0444});
}

TEST_F(ArtifactDraftTest, OneThatIsBeingMadeIsNobodyElsesToRemoveOrMake)
{
    std::optional<ArtifactDraft> work;
    work.emplace(draft);
    EXPECT_FALSE(discard_draft(draft));
    EXPECT_TRUE(std::filesystem::exists(draft / "scratch"));
    try {
        const ArtifactDraft second{draft};
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InUse);
    }
    EXPECT_TRUE(std::filesystem::exists(draft / "scratch"));
    work->keep();
    work.reset();
    EXPECT_FALSE(discard_draft(draft)) << "it is to be taken in";
    forget_draft(draft);
    EXPECT_TRUE(discard_draft(draft));
    EXPECT_FALSE(std::filesystem::exists(draft));
}

TEST_F(ArtifactDraftTest, OneThatAnotherProcessHasKeptIsThatProcessSUntilItEnds)
{
    OtherMaker other{folder.path / ".new-passing", [this](const UniqueFd&) { ArtifactDraft{draft}.keep(); }};
    ASSERT_TRUE(other.is_at_work());
    EXPECT_FALSE(discard_draft(draft));
    EXPECT_EQ(refusal(), ErrorCode::InUse);
    other.kill();
    EXPECT_TRUE(discard_draft(draft));
}

TEST_F(ArtifactDraftTest, ANewOneTakesThePlaceOfOneThatWasKeptAndNeverTakenIn)
{
    ArtifactDraft{draft}.keep();
    EXPECT_NE(refusal(), ErrorCode::InUse);
}

TEST_F(ArtifactDraftTest, WhatAKilledOneLeftIsClearedByTheNext)
{
    std::filesystem::create_directories(draft / "scratch/root");
    const ArtifactDraft work{draft};
    EXPECT_FALSE(std::filesystem::exists(draft / "scratch/root"));
    EXPECT_TRUE(discard_draft(folder.path / "none"));
}

TEST_F(ArtifactDraftTest, OneThatAnotherProcessMakesIsThatProcessS)
{
    OtherMaker other{draft, [](const UniqueFd&) {}};
    ASSERT_TRUE(other.is_at_work());
    EXPECT_FALSE(discard_draft(draft));
    EXPECT_EQ(refusal(), ErrorCode::InUse);
    EXPECT_TRUE(std::filesystem::exists(draft / "half"));
    other.kill();
    EXPECT_TRUE(discard_draft(draft));
    EXPECT_FALSE(std::filesystem::exists(draft));
}

/// As one that was killed between the fork and the exec of a program: for that moment the child has all that it had open.
TEST_F(ArtifactDraftTest, OneOfAKilledProcessIsFreeWhileAChildOfItLivesOn)
{
    OtherMaker other{draft, [](const UniqueFd& hold) {
                         if (::fork() == 0) {
                             OtherMaker::wait_on(hold);
                             ::_exit(0);
                         }
                     }};
    ASSERT_TRUE(other.is_at_work());
    other.kill();
    EXPECT_TRUE(discard_draft(draft));
    EXPECT_FALSE(std::filesystem::exists(draft));
    const ArtifactDraft work{draft};
    EXPECT_TRUE(std::filesystem::exists(draft / "scratch"));
}

TEST_F(ArtifactDraftTest, WhatIsKeptHasNothingOfTheMaking)
{
    ArtifactDraft work{draft};
    std::ofstream{work.file("rootfs.ext4")} << "x";
    work.keep();
    std::filesystem::rename(draft, folder.path / "taken");
    release_draft(draft, folder.path / "taken");
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{folder.path}) {
        for (const auto& file : std::filesystem::directory_iterator{entry.path()}) {
            names.push_back(entry.path().filename() / file.path().filename());
        }
    }
    EXPECT_THAT(names, ::testing::ElementsAre("taken/rootfs.ext4"));
}

}  // namespace
}  // namespace banger::agent
