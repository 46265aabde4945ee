// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/oci_source.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::agent {
namespace {

const std::string some_digest = "sha256:" + std::string(64, 'a');

TEST(OciSourceTest, ShortNamesAreThoseThatDockerTakes)
{
    const auto alpine = parse_oci_source("docker://alpine");
    EXPECT_EQ(alpine.reference, "docker://docker.io/library/alpine:latest");
    EXPECT_EQ(alpine.repository, "docker://docker.io/library/alpine");
    EXPECT_EQ(alpine.registry, "docker.io");
    EXPECT_EQ(alpine.name, "alpine");
    EXPECT_FALSE(alpine.loopback);
    EXPECT_EQ(parse_oci_source("docker://alpine:3.20").reference, "docker://docker.io/library/alpine:3.20");
    EXPECT_EQ(parse_oci_source("docker://bitnami/redis").reference, "docker://docker.io/bitnami/redis:latest");
    EXPECT_EQ(parse_oci_source("docker://docker.io/alpine").reference, "docker://docker.io/library/alpine:latest");
}

TEST(OciSourceTest, ARegistryHasADotOrAPort)
{
    const auto source = parse_oci_source("docker://registry.example:5000/team/app.web:V1.2");
    EXPECT_EQ(source.registry, "registry.example:5000");
    EXPECT_EQ(source.reference, "docker://registry.example:5000/team/app.web:V1.2");
    EXPECT_EQ(source.name, "app.web");
    EXPECT_EQ(parse_oci_source("docker://localhost/x").registry, "localhost");
}

TEST(OciSourceTest, ADigestIsKeptApart)
{
    const auto source = parse_oci_source("docker://alpine:3.20@" + some_digest);
    EXPECT_EQ(source.digest, some_digest);
    EXPECT_EQ(source.reference, "docker://docker.io/library/alpine:3.20");
    EXPECT_EQ(parse_oci_source("docker://alpine@" + some_digest).reference, "docker://docker.io/library/alpine");
}

TEST(OciSourceTest, OnlyALoopbackAddressByNumberDoesWithoutTls)
{
    for (const auto* host : {"127.0.0.1", "127.0.0.1:5000", "127.1.2.3:1", "[::1]:5000", "[::1]"}) {
        EXPECT_TRUE(parse_oci_source("docker://" + std::string{host} + "/x").loopback) << host;
    }
    for (const auto* host : {"localhost:5000", "127.0.0.1.example", "127.example:80", "128.0.0.1", "10.0.0.1:5000",
                             "registry.example", "[::2]:5000", "127.1:5000"}) {
        EXPECT_FALSE(parse_oci_source("docker://" + std::string{host} + "/x").loopback) << host;
    }
}

TEST(OciSourceTest, FoldersAndArchives)
{
    const auto folder = parse_oci_source("oci:/srv/images/../My.App/:v1");
    EXPECT_EQ(folder.kind, OciSource::Kind::Folder);
    EXPECT_EQ(folder.reference, "oci:/srv/My.App/:v1");
    EXPECT_EQ(folder.path, "/srv/My.App/");
    EXPECT_EQ(folder.name, "my.app");
    const auto archive = parse_oci_source("oci-archive:/x/app.tar.gz");
    EXPECT_EQ(archive.kind, OciSource::Kind::Archive);
    EXPECT_EQ(archive.name, "app");
    EXPECT_EQ(archive.tag, "");
    EXPECT_EQ(parse_oci_source("oci-archive:/x/app.tar:v1").tag, "v1");
    EXPECT_EQ(parse_oci_source("oci-archive:/x/web-1.2.oci").name, "web-1.2");
    EXPECT_EQ(parse_oci_source("oci:/x/Größe").name, "") << "no name comes of it";
}

TEST(OciSourceTest, WhatIsNoPlaceOfAnImageIsRefused)
{
    for (const std::string text : {"",
                                   "alpine",
                                   "docker:alpine",
                                   "docker://",
                                   "docker:///x",
                                   "docker://x/",
                                   "docker://x//y",
                                   "docker://x/..",
                                   "docker://UPPER",
                                   "docker://x y",
                                   "docker://x:",
                                   "docker://x:a b",
                                   "docker://-x",
                                   "docker://x/-y",
                                   "docker://x@",
                                   "docker://x@sha256:aa",
                                   "docker://x@sha512:aa",
                                   "docker://ho st.example/x",
                                   "docker://-o.example/x",
                                   "docker://x;reboot",
                                   "docker-daemon:x",
                                   "containers-storage:x",
                                   "dir:/x",
                                   "oci:",
                                   "oci:x",
                                   "oci:./x",
                                   "oci-archive:x.tar",
                                   "oci:\x01",
                                   "docker://x\n"}) {
        try {
            const auto source = parse_oci_source(text);
            ADD_FAILURE() << text << " is " << source.reference;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << text;
        }
    }
    EXPECT_THROW(parse_oci_source("docker://" + std::string(2000, 'a')), Error);
    EXPECT_THROW(parse_oci_source(std::string{"oci:/x\0y", 8}), Error);
}

TEST(OciSourceTest, ADigestIsSha256InLowerCase)
{
    EXPECT_TRUE(is_oci_digest(some_digest));
    for (const auto& text : {std::string{}, "sha256:" + std::string(63, 'a'), "sha256:" + std::string(64, 'A'),
                             "sha512:" + std::string(64, 'a'), some_digest + "a", std::string(71, 'a')}) {
        EXPECT_FALSE(is_oci_digest(text)) << text;
    }
}

}  // namespace
}  // namespace banger::agent
