// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/image_pull.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace banger::cli {
namespace {

TEST(ImagePullTest, FilesGoToBangerdByAbsolutePaths)
{
    const auto here = std::filesystem::current_path().string();
    EXPECT_EQ(absolute_source("oci:dir"), "oci:" + here + "/dir");
    EXPECT_EQ(absolute_source("oci:./a/../dir:tag"), "oci:" + here + "/dir:tag");
    EXPECT_EQ(absolute_source("oci-archive:x.tar"), "oci-archive:" + here + "/x.tar");
    EXPECT_EQ(absolute_source("oci:/x:y"), "oci:/x:y");
    EXPECT_EQ(absolute_source("docker://alpine:3.20"), "docker://alpine:3.20");
    EXPECT_EQ(absolute_source("x"), "x");
}

TEST(ImagePullTest, ATableHasRoomForTwelveDigits)
{
    EXPECT_EQ(brief_origin("docker://x/y:1@sha256:" + std::string(64, 'a')), "docker://x/y:1@sha256:aaaaaaaaaaaa");
    EXPECT_EQ(brief_origin("debian bookworm"), "debian bookworm");
    EXPECT_EQ(brief_origin(""), "");
}

}  // namespace
}  // namespace banger::cli
