// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/artifact_draft.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

class ArtifactDraftTest : public ::testing::Test {
protected:
    test::TemporaryFolder folder;
    std::filesystem::path draft{folder.path / ".new-web"};
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
    EXPECT_TRUE(discard_draft(draft)) << "whoever made it is gone";
    EXPECT_FALSE(std::filesystem::exists(draft));
}

TEST_F(ArtifactDraftTest, WhatAKilledOneLeftIsClearedByTheNext)
{
    std::filesystem::create_directories(draft / "scratch/root");
    const ArtifactDraft work{draft};
    EXPECT_FALSE(std::filesystem::exists(draft / "scratch/root"));
    EXPECT_TRUE(discard_draft(folder.path / "none"));
}

}  // namespace
}  // namespace banger::agent
