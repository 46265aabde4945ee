// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/skopeo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

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

/// A skopeo that is a script, on PATH alone.
class BoundedSkopeoTest : public ::testing::Test {
protected:
    void put(const std::string& script) const
    {
        const auto file = folder.path / "bin/skopeo";
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file} << "#!/bin/sh\n" << script << "\n";
        std::filesystem::permissions(file, std::filesystem::perms::owner_all);
        ::setenv("PATH", (file.parent_path().string() + ":" + before).c_str(), 1);
    }
    std::string inspect() const
    {
        std::filesystem::create_directories(folder.path / "scratch");
        const PullProgress progress{};
        return Skopeo{folder.path / "scratch", folder.path / "log", progress, {}}.inspect(
            parse_oci_source("docker://127.0.0.1/x"), "");
    }
    ~BoundedSkopeoTest() override { ::setenv("PATH", before.c_str(), 1); }

    test::TemporaryFolder folder;
    std::string before{std::getenv("PATH") != nullptr ? std::getenv("PATH") : "/usr/bin:/bin"};
};

TEST_F(BoundedSkopeoTest, ItHasSoMuchMemoryAndNoMore)
{
    put("echo $(ulimit -d) $GOMEMLIMIT");
    EXPECT_EQ(inspect(), "2097152 1GiB\n") << "KiB, and what Go aims at";
}

TEST_F(BoundedSkopeoTest, OneThatWantsMoreIsSaidAsSuchAndNotByItsTrace)
{
    put("echo 'fatal error: runtime: out of memory' >&2\n"
        "i=0; while [ $i -lt 400 ]; do echo 'runtime.rt0_go() +0x33' >&2; i=$((i + 1)); done; exit 2");
    try {
        inspect();
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        EXPECT_THAT(error.what(), HasSubstr("more than 2G of memory"));
    }
}

}  // namespace
}  // namespace banger::agent
