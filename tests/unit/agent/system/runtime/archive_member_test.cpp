// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/archive_member.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"

namespace banger::agent {
namespace {

using test::make_archive;
using test::Packing;
using ::testing::HasSubstr;

std::string noise(std::size_t size)
{
    std::string text;
    std::uint32_t state = 1;
    while (text.size() < size) {
        state = state * 1664525U + 1013904223U;
        text += static_cast<char>(state >> 24U);
    }
    return text;
}

class ArchiveMemberTest : public ::testing::Test {
protected:
    std::filesystem::path file(const std::string& content)
    {
        const auto path = folder.path / "archive";
        std::ofstream{path, std::ios::binary} << content;
        return path;
    }
    /// The member's bytes; nullopt: there is none.
    std::optional<std::string> member(const std::string& archive, const std::string& name)
    {
        std::string bytes;
        const auto take = [&bytes](std::span<const std::uint8_t> more) { bytes.append(more.begin(), more.end()); };
        return read_member(file(archive), name, take, stop.get_token()) ? std::optional{bytes} : std::nullopt;
    }
    std::string refusal(const std::string& archive, const std::string& name)
    {
        try {
            member(archive, name);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData);
            return error.what();
        }
        return "it was read";
    }

    test::TemporaryFolder folder;
    std::stop_source stop;
};

TEST_F(ArchiveMemberTest, AMemberOfEitherKindOfArchiveIsRead)
{
    const auto content = noise(300'000);
    for (const auto packing : {Packing::Tgz, Packing::Zip}) {
        const auto archive =
            make_archive(packing, {{"release/other", "x"}, {"release/firecracker", content}, {"z", "z"}});
        EXPECT_EQ(member(archive, "release/firecracker"), content);
        EXPECT_EQ(member(archive, "firecracker"), std::nullopt);
        EXPECT_TRUE(looks_packed(file(archive)));
    }
    EXPECT_FALSE(
        looks_packed(file("\x7f"
                          "ELF")));
    EXPECT_FALSE(looks_packed(file("")));
}

TEST_F(ArchiveMemberTest, AnArchiveThatIsCutOffIsDamaged)
{
    const auto content = noise(300'000);
    for (const auto packing : {Packing::Tgz, Packing::Zip}) {
        const auto archive = make_archive(packing, {{"firecracker", content}});
        for (const auto size : {archive.size() - 200'000, archive.size() / 2, std::size_t{1}}) {
            EXPECT_THAT(refusal(archive.substr(0, size), "firecracker"), HasSubstr("can't be unpacked")) << size;
        }
    }
}

TEST_F(ArchiveMemberTest, WhatIsNoArchiveIsSaidToBeNone)
{
    for (const auto& text : {std::string{"<html>sign in here</html>"}, std::string(2000, 'x')}) {
        EXPECT_THAT(refusal(text, "firecracker"), HasSubstr("can't be unpacked"));
    }
}

TEST_F(ArchiveMemberTest, AnArchiveThatIsPackedTwiceIsNone)
{
    const auto inner = make_archive(Packing::Tgz, {{"firecracker", "good"}});
    EXPECT_THAT(refusal(test::gzipped(inner), "firecracker"), HasSubstr("can't be unpacked"));
}

TEST_F(ArchiveMemberTest, ALinkIsNoProgram)
{
    const auto symbolic = make_archive(Packing::Tgz, {{.name = "firecracker", .content = "", .symlink = "/bin/sh"}});
    EXPECT_THAT(refusal(symbolic, "firecracker"), HasSubstr("no regular file"));
    const auto hard = make_archive(Packing::Tgz, {{"a", "a"}, {.name = "firecracker", .content = "", .hardlink = "a"}});
    EXPECT_THAT(refusal(hard, "firecracker"), HasSubstr("no regular file"));
}

TEST_F(ArchiveMemberTest, NamesThatLeadOutOfTheArchiveTouchNothing)
{
    const auto archive = make_archive(Packing::Tgz, {{"../escaped", "evil"},
                                                     {"/" + (folder.path / "escaped").string(), "evil"},
                                                     {.name = "out", .content = "", .symlink = "/"},
                                                     {"out" + folder.path.string() + "/escaped", "evil"},
                                                     {"firecracker", "good"}});
    EXPECT_EQ(member(archive, "firecracker"), "good");
    EXPECT_FALSE(std::filesystem::exists(folder.path / "escaped"));
    EXPECT_FALSE(std::filesystem::exists(folder.path.parent_path() / "escaped"));
}

TEST_F(ArchiveMemberTest, AStopEndsTheReading)
{
    stop.request_stop();
    try {
        member(make_archive(Packing::Tgz, {{"firecracker", "good"}}), "firecracker");
        FAIL() << "it was read";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Cancelled);
    }
}

}  // namespace
}  // namespace banger::agent
