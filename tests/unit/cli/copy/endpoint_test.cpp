// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy/endpoint.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::cli {
namespace {

using enum TargetKind;

TEST(ParseEndpoint, TellsVmsFromPathsOfThisHost)
{
    EXPECT_EQ(parse_endpoint("calm-otter:/srv").vm, "calm-otter");
    EXPECT_EQ(parse_endpoint("calm-otter:/srv").path, "/srv");
    for (const auto* text : {"/a:b", "./a:b", "dir/a:b", "file", ":odd", "-"}) {
        EXPECT_EQ(parse_endpoint(text).vm, std::nullopt) << text;
        EXPECT_EQ(parse_endpoint(text).path, text);
    }
    EXPECT_TRUE(parse_endpoint("-").is_stream());
}

TEST(ParseEndpoint, CountsPathsOfAVmFromRootsHome)
{
    EXPECT_EQ(parse_endpoint("vm:notes").path, "/root/notes");
    EXPECT_EQ(parse_endpoint("vm:").path, "/root/.");
    EXPECT_EQ(parse_endpoint("vm:a:b").path, "/root/a:b");
}

TEST(ParseEndpoint, RefusesAnEmptyPath) { EXPECT_THROW(parse_endpoint(""), Error); }

TEST(ParseCopyPath, TakesSlashesAndDotsFromTheEnd)
{
    const auto folder = parse_copy_path("/a/b//");
    EXPECT_EQ(folder.path, "/a/b");
    EXPECT_EQ(folder.name, "b");
    EXPECT_TRUE(folder.wants_folder);
    EXPECT_FALSE(folder.wants_contents);
    const auto contents = parse_copy_path("a/b/.");
    EXPECT_EQ(contents.path, "a/b");
    EXPECT_TRUE(contents.wants_contents);
    EXPECT_EQ(parse_copy_path(".").path, ".");
    EXPECT_TRUE(parse_copy_path(".").wants_contents);
    EXPECT_EQ(parse_copy_path("/").path, "/");
    EXPECT_EQ(parse_copy_path("/").name, "");
    EXPECT_EQ(parse_copy_path("file.").path, "file.");
}

TEST(ParseCopyPath, RefusesAPathWithoutAName)
{
    EXPECT_THROW(parse_copy_path(".."), Error);
    EXPECT_THROW(parse_copy_path("/a/../"), Error);
}

Placement placed(const char* source, bool is_folder, const char* target, TargetKind kind, bool many = false)
{
    return place(parse_copy_path(source), is_folder, parse_copy_path(target), kind, many);
}

void expect(const Placement& placement, const std::string& folder, const std::string& name)
{
    EXPECT_EQ(placement.folder, folder);
    EXPECT_EQ(placement.name, name);
}

TEST(Place, PutsAFileIntoAFolderThatIsThereAndElseUnderANewName)
{
    expect(placed("a/f", false, "/dst", Folder), "/dst", "f");
    expect(placed("a/f", false, "/dst/", Folder), "/dst", "f");
    expect(placed("a/f", false, "/dst/g", Absent), "/dst", "g");
    expect(placed("a/f", false, "/dst/g", File), "/dst", "g");
    expect(placed("a/f", false, "g", Absent), ".", "g");
    expect(placed("a/f", false, "/g", Absent), "/", "g");
}

TEST(Place, PutsAFolderIntoOneThatIsThereAndElseUnderANewName)
{
    expect(placed("a/d", true, "/dst", Folder), "/dst", "d");
    expect(placed("a/d", true, "/dst", Absent), "/", "dst");
    expect(placed("a/d", true, "/dst/", Absent), "/", "dst");
}

TEST(Place, PutsWhatIsInAFolder)
{
    expect(placed("a/d/.", true, "/dst", Folder), "/dst", "");
    expect(placed("a/d/.", true, "/dst", Absent), "/", "dst");
    expect(placed("/", true, "/dst", Folder), "/dst", "");
}

TEST(Place, WantsAFolderForSeveralSources)
{
    expect(placed("f", false, "/dst", Folder, true), "/dst", "f");
    EXPECT_THROW(placed("f", false, "/dst", Absent, true), Error);
    EXPECT_THROW(placed("f", false, "/dst", File, true), Error);
}

TEST(Place, RefusesWhatCpRefuses)
{
    EXPECT_THROW(placed("d", true, "/file", File), Error) << "a folder over a file";
    EXPECT_THROW(placed("f", false, "/no/", Absent), Error) << "a file into a folder that isn't there";
    EXPECT_THROW(placed("f", false, "/file/", File), Error);
    EXPECT_THROW(placed("f", false, "/dev/null", Other), Error);
}

}  // namespace
}  // namespace banger::cli
