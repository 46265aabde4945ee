// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/runtime/bundle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string good_bundle = R"(version = "1.12.1"
[[program]]
name = "firecracker"
version = "1.12.1"
architecture = "x86_64"
sha256 = "b99ea49b8d8b7bfa307d3845585d6a97f7642aa17a985749900370070d8ca930"
[[program.source]]
url = "https://example.org/fc.tgz"
member = "release/firecracker"
[[program.source]]
pip = "some-package==3.11.0"
python = "3.12"
member = "some/bin/firecracker"
)";

/// `good_bundle` with one line in place of another one.
std::string with(const std::string& line, const std::string& other)
{
    auto text = good_bundle;
    const auto at = text.find(line + "\n");
    EXPECT_NE(at, std::string::npos) << line;
    return text.replace(at, line.size(), other);
}

std::string bundle_refusal(const std::string& text, UrlSchemes schemes = UrlSchemes::HttpsOnly)
{
    try {
        parse_bundle(text, "/b.toml", schemes);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
    return "it was taken";
}

TEST(RuntimeBundleTest, AManifestIsReadWithItsSourcesInOrder)
{
    const auto bundle = parse_bundle(good_bundle, "b.toml", UrlSchemes::HttpsOnly);
    EXPECT_EQ(bundle.version, "1.12.1");
    ASSERT_EQ(bundle.programs.size(), 1U);
    const auto& program = bundle.programs.front();
    EXPECT_EQ(program.name, "firecracker");
    EXPECT_EQ(program.sha256.brief(), "b99ea49b8d8b");
    ASSERT_EQ(program.sources.size(), 2U);
    EXPECT_EQ(to_string(program.sources[0]), "https://example.org/fc.tgz");
    EXPECT_EQ(member_of(program.sources[0]), "release/firecracker");
    EXPECT_EQ(to_string(program.sources[1]), "pip (some-package==3.11.0)");
    EXPECT_EQ(std::get<PipSource>(program.sources[1]).python, "3.12");
}

TEST(RuntimeBundleTest, OurOwnManifestNamesFirecrackerAndJailerWithTwoSourcesEach)
{
    std::ifstream file{BANGER_SOURCE_DIR "/agent/runtime-bundle.toml"};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto bundle = parse_bundle(text, "runtime-bundle.toml", UrlSchemes::HttpsOnly);
    EXPECT_FALSE(bundle.archive) << "the template names no bundle";
    ASSERT_EQ(bundle.programs.size(), 2U);
    EXPECT_EQ(bundle.programs[0].name, "firecracker");
    EXPECT_EQ(bundle.programs[1].name, "jailer");
    for (const auto& program : bundle.programs) {
        ASSERT_EQ(program.sources.size(), 2U);
        EXPECT_TRUE(std::holds_alternative<ArchiveSource>(program.sources[0]))
            << "Firecracker's own release comes first";
    }
}

std::string with_archive(const std::string& url, const std::string& sha256 = std::string(64, 'a'))
{
    return "[bundle]\nurl = \"" + url + "\"\nsha256 = \"" + sha256 + "\"\n";
}

TEST(RuntimeBundleTest, ABundleIsNamedByAPathOrAUrl)
{
    for (const auto* url : {"banger-runtime.tar.gz", "./dist/b.tar.gz", "a b/ü.tar.gz", "/srv/b.tar.gz",
                            "file:///srv/b.tar.gz", "http://127.0.0.1:1/b", "https://example.org/b"}) {
        const auto bundle = parse_bundle("version = \"1\"\n" + with_archive(url), "b.toml", UrlSchemes::HttpsOnly);
        ASSERT_TRUE(bundle.archive) << url;
        EXPECT_EQ(bundle.archive->url, url);
        EXPECT_TRUE(bundle.programs.empty()) << "with a bundle there need be none";
    }
    const auto both = parse_bundle(with("version = \"1.12.1\"", "version = \"1.12.1\"\n" + with_archive("b")), "b.toml",
                                   UrlSchemes::HttpsOnly);
    EXPECT_TRUE(both.archive);
    EXPECT_EQ(both.programs.size(), 1U);
}

TEST(RuntimeBundleTest, AnEmptyBundleIsNone)
{
    EXPECT_FALSE(parse_bundle(good_bundle, "b.toml", UrlSchemes::HttpsOnly).archive);
    const auto text = with("version = \"1.12.1\"", "version = \"1.12.1\"\n" + with_archive("", ""));
    EXPECT_FALSE(parse_bundle(text, "b.toml", UrlSchemes::HttpsOnly).archive);
    EXPECT_THAT(bundle_refusal("version = \"1\"\n" + with_archive("", "")), HasSubstr("\"program\" is missing"));
}

TEST(RuntimeBundleTest, ABadBundleIsRefusedByName)
{
    const std::string version = "version = \"1\"\n";
    for (const auto* url : {"../b.tar.gz", "a/../b", "..", "./.."}) {
        EXPECT_THAT(bundle_refusal(version + with_archive(url)),
                    StartsWith("/b.toml:3: a relative url must not have \"..\" in it"))
            << url;
    }
    for (const auto* url : {"ftp://example.org/b", "file://host/b", "file://b", "x://", "HTTP://example.org/b"}) {
        EXPECT_THAT(bundle_refusal(version + with_archive(url)), StartsWith("/b.toml:3: url must be a path, or begin"))
            << url;
    }
    EXPECT_THAT(bundle_refusal(version + with_archive("http://example.org/a b")), StartsWith("/b.toml:3: url must be"));
    EXPECT_THAT(bundle_refusal(version + with_archive(std::string(2000, 'a'))), StartsWith("/b.toml:3: url must be"));
    EXPECT_THAT(bundle_refusal(version + with_archive("b", "")), StartsWith("/b.toml:4: url and sha256 of [bundle]"));
    EXPECT_THAT(bundle_refusal(version + with_archive("")), StartsWith("/b.toml:3: url and sha256 of [bundle]"));
    EXPECT_THAT(bundle_refusal(version + with_archive("b", "abc")), StartsWith("/b.toml:4: sha256: "));
    EXPECT_THAT(bundle_refusal(version + with_archive("b") + "size = 99999999999999999999999\n"),
                StartsWith("/b.toml:5: "));
    EXPECT_THAT(bundle_refusal(version + with_archive("b") + "shq256 = \"\"\n"), HasSubstr("unknown key \"shq256\""));
    EXPECT_THAT(bundle_refusal(version + "[bundle]\nurl = \"b\"\n"), HasSubstr("\"sha256\" is missing"));
    EXPECT_THAT(bundle_refusal("version = \"1\"\nbundle = 7\n"), HasSubstr("bundle must be a table"));
}

TEST(RuntimeBundleTest, ARefusalNamesFileLineAndWhatIsWrong)
{
    EXPECT_THAT(bundle_refusal(with("name = \"firecracker\"", "names = \"firecracker\"")),
                StartsWith("/b.toml:3: unknown key \"names\"; did you mean name?"));
    EXPECT_THAT(bundle_refusal(with("architecture = \"x86_64\"", "architecture = \"arm\"")),
                StartsWith("/b.toml:5: architecture must be x86_64"));
    EXPECT_THAT(bundle_refusal(with("member = \"release/firecracker\"", "")),
                StartsWith("/b.toml:7: \"member\" is missing"));
    EXPECT_THAT(bundle_refusal(with("version = \"1.12.1\"", "version = 1")),
                StartsWith("/b.toml:1: version must be a string"));
    EXPECT_THAT(bundle_refusal(with("[[program]]", "[program")), StartsWith("/b.toml:2: "));
    EXPECT_THAT(bundle_refusal(""), StartsWith("/b.toml:1: \"version\" is missing"));
}

TEST(RuntimeBundleTest, ABadHashIsRefused)
{
    const std::string line = "sha256 = \"b99ea49b8d8b7bfa307d3845585d6a97f7642aa17a985749900370070d8ca930\"";
    for (const auto* bad : {"b99e", "B99EA49B8D8B7BFA307D3845585D6A97F7642AA17A985749900370070D8CA930",
                            "z99ea49b8d8b7bfa307d3845585d6a97f7642aa17a985749900370070d8ca930"}) {
        EXPECT_THAT(bundle_refusal(with(line, std::string{"sha256 = \""} + bad + "\"")),
                    HasSubstr("/b.toml:6: sha256: "))
            << bad;
    }
}

TEST(RuntimeBundleTest, AMemberStaysInItsArchive)
{
    for (const auto* bad : {"../firecracker", "/etc/passwd", "a/../../b", "a//b", "./a", "a/"}) {
        EXPECT_THAT(bundle_refusal(with("member = \"release/firecracker\"", std::string{"member = \""} + bad + "\"")),
                    HasSubstr("/b.toml:9: member must be a relative path"))
            << bad;
    }
}

TEST(RuntimeBundleTest, OnlyHttpsUnlessATestAsksForMore)
{
    const std::string line = "url = \"https://example.org/fc.tgz\"";
    for (const auto* url : {"http://example.org/x", "file:///x", "ftp://example.org/x", "example.org/x"}) {
        EXPECT_THAT(bundle_refusal(with(line, std::string{"url = \""} + url + "\"")),
                    HasSubstr("url must begin with https://"))
            << url;
    }
    EXPECT_EQ(bundle_refusal(with(line, "url = \"http://127.0.0.1:1/x\""), UrlSchemes::Any), "it was taken");
    EXPECT_EQ(bundle_refusal(with(line, "url = \"file:///x\""), UrlSchemes::Any), "it was taken");
    EXPECT_THAT(bundle_refusal(with(line, "url = \"ftp://example.org/x\""), UrlSchemes::Any),
                HasSubstr("url must begin"));
}

TEST(RuntimeBundleTest, WhatPipIsGivenIsNoOptionOfItsOwn)
{
    for (const auto* bad : {"--index-url==x", "some-package", "a==b==c", "a== ", "a==1;b", "git+x==1/2"}) {
        EXPECT_THAT(bundle_refusal(with("pip = \"some-package==3.11.0\"", std::string{"pip = \""} + bad + "\"")),
                    HasSubstr("/b.toml:11: pip must be"))
            << bad;
    }
    EXPECT_THAT(bundle_refusal(with("python = \"3.12\"", "python = \"-3\"")), HasSubstr("/b.toml:12: python must be"));
}

TEST(RuntimeBundleTest, AProgramIsNamedOnceAndHasASource)
{
    EXPECT_THAT(bundle_refusal(good_bundle + good_bundle.substr(good_bundle.find("[[program]]"))),
                HasSubstr("there are two programs \"firecracker\""));
    EXPECT_THAT(bundle_refusal(good_bundle.substr(0, good_bundle.find("[[program.source]]"))),
                HasSubstr("\"source\" is missing"));
    EXPECT_THAT(bundle_refusal(with("name = \"firecracker\"", "name = \"../firecracker\"")),
                HasSubstr("/b.toml:3: name: "));
}

}  // namespace
}  // namespace banger::agent
