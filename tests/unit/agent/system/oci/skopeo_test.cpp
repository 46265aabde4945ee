// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/skopeo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

Error meaning(const std::string& sentence, const std::string& source = "docker://registry.example/x")
{
    return skopeo_error(parse_oci_source(source), sentence);
}

TEST(SkopeoTest, TheSentenceIsTakenOutOfWhatItPrints)
{
    EXPECT_EQ(sentence_of("Getting image source signatures\ntime=\"2026-01-01T00:00:00Z\" level=fatal msg=\"reading "
                          "\\\"x\\\": it's gone\"\n"),
              "reading \"x\": it's gone");
    EXPECT_EQ(sentence_of("   \xe2\xa8\xaf unpack layer: no\n  \n"), "unpack layer: no");
    EXPECT_EQ(sentence_of(""), "");
    EXPECT_EQ(sentence_of("msg=\"cut off\\"), "cut off\\") << "a backslash at the end hides nothing";
    EXPECT_EQ(sentence_of("msg=\"\xff\x80\""), "??");
    EXPECT_LE(sentence_of("msg=\"" + std::string(10'000, 'a') + "\"").size(), 400U);
}

TEST(SkopeoTest, WhatARegistrySaysBecomesTheRightError)
{
    EXPECT_EQ(meaning("reading manifest 1 in x: manifest unknown: no").code(), ErrorCode::NotFound);
    EXPECT_EQ(meaning("unauthorized: authentication required").code(), ErrorCode::NotAuthorized);
    EXPECT_EQ(meaning("requested access to the resource is denied").code(), ErrorCode::NotAuthorized);
    EXPECT_EQ(meaning("Get \"https://x/\": context deadline exceeded").code(), ErrorCode::TimedOut);
    EXPECT_EQ(meaning("write layout/oci-put-blob1: no space left on device").code(), ErrorCode::NoSpace);
    EXPECT_EQ(meaning("write layout/oci-put-blob1: file too large").code(), ErrorCode::CorruptData);
    EXPECT_EQ(meaning("Manifest does not match provided manifest digest sha256:aa").code(), ErrorCode::CorruptData);
    EXPECT_EQ(meaning("dial tcp 192.0.2.1:443: connect: connection refused").code(), ErrorCode::Failed);
    EXPECT_EQ(meaning("stopped after 10 redirects").code(), ErrorCode::Failed);
    EXPECT_EQ(meaning("open /etc/containers/policy.json: no such file or directory").code(), ErrorCode::HostLacks);
    EXPECT_EQ(meaning("open /x/index.json: no such file or directory", "oci:/x").code(), ErrorCode::NotFound);
    EXPECT_EQ(meaning("open /x/index.json: permission denied", "oci:/x").code(), ErrorCode::Failed);
    EXPECT_EQ(meaning("archive/tar: invalid tar header", "oci-archive:/x").code(), ErrorCode::CorruptData);
}

TEST(SkopeoTest, ItsErrorNamesTheSourceAndWhatMends)
{
    EXPECT_THAT(meaning("unauthorized").what(), HasSubstr("docker://registry.example/x:latest"));
    EXPECT_THAT(meaning("unauthorized").what(), HasSubstr("skopeo login"));
    EXPECT_THAT(meaning("http: server gave HTTP response to HTTPS client").what(), HasSubstr("127.0.0.1"));
}

}  // namespace
}  // namespace banger::agent
