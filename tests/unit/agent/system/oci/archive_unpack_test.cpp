// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/archive_unpack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "common/error.hpp"
#include "common/size.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/oci/layer_maker.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using test::LayerMember;
using test::make_layer;
using ::testing::HasSubstr;

class ArchiveUnpackTest : public ::testing::Test {
protected:
    void unpack_all(const std::string& archive)
    {
        const auto file = folder.path / "image.tar";
        std::ofstream{file, std::ios::binary} << archive;
        fs::remove_all(place);
        unpack_oci_archive(file, place, bounds, progress);
    }
    std::string refusal(const std::string& archive)
    {
        try {
            unpack_all(archive);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
            return error.what();
        }
        return "it was taken";
    }
    std::string refusal_of(const std::vector<LayerMember>& members) { return refusal(make_layer(members)); }
    std::string content(const std::string& name) const
    {
        std::ifstream stream{place / name, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    /// All that is there, without the folders above blobs.
    std::set<std::string> there() const
    {
        std::set<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator{place}) {
            if (!entry.is_directory()) {
                names.insert(entry.path().lexically_relative(place).string());
            }
        }
        return names;
    }

    test::TemporaryFolder folder;
    fs::path place = folder.path / "scratch/archive";
    LayerBounds bounds{gib.bytes(), 1000};
    std::stop_source stop;
    PullProgress progress = [this] {
        PullProgress calls;
        calls.stage = [](const std::string&) {};
        calls.fraction = [](double) {};
        calls.stop = stop.get_token();
        return calls;
    }();
    std::string blob = "blobs/sha256/" + std::string(64, 'a');
    LayerMember index{.name = "index.json", .content = "{}"};
};

std::function<void(archive_entry*)> link_to(const std::string& target)
{
    return [target](archive_entry* entry) { archive_entry_set_symlink(entry, target.c_str()); };
}

TEST_F(ArchiveUnpackTest, TheLayoutComesOutAndNothingElse)
{
    const std::vector<LayerMember> members{
        {.name = "./", .type = AE_IFDIR},
        {.name = "./oci-layout", .content = "v1"},
        {.name = "blobs/", .type = AE_IFDIR},
        {.name = "blobs/sha256/", .type = AE_IFDIR},
        {.name = blob, .content = std::string(100'000, 'b')},
        index,
        {.name = "manifest.json", .content = "docker's"},
        {.name = "../escaped", .content = "x"},
        {.name = "/" + (folder.path / "escaped").string(), .content = "x"},
        {.name = "blobs/sha256/../../escaped", .content = "x"},
        {.name = "blobs/sha256/" + std::string(64, 'A'), .content = "x"},
    };
    for (const bool packed : {false, true}) {
        unpack_all(make_layer(members, packed));
        EXPECT_EQ(there(), (std::set<std::string>{"oci-layout", "index.json", blob})) << packed;
        EXPECT_EQ(content("oci-layout"), "v1");
        EXPECT_EQ(content(blob), std::string(100'000, 'b'));
        EXPECT_FALSE(fs::exists(folder.path / "escaped") || fs::exists(folder.path / "scratch/escaped"));
    }
}

TEST_F(ArchiveUnpackTest, NothingIsWrittenOrRemovedThroughALink)
{
    const auto victim = folder.path / "victim";
    fs::create_directories(victim / "Documents");
    std::ofstream{victim / "Documents/thesis"} << "precious";
    for (const auto& target : {victim.string(), std::string{"../../victim"}}) {
        EXPECT_THAT(refusal_of({index,
                                {.name = "x", .type = AE_IFLNK, .shape = link_to(target)},
                                {.name = "x/.bashrc", .content = "evil"},
                                {.name = "x/Documents", .content = "evil"}}),
                    HasSubstr("\"x\" in it is a link"));
    }
    EXPECT_THAT(refusal_of({{.name = "index.json", .type = AE_IFLNK, .shape = link_to((victim / "new").string())}}),
                HasSubstr("is a link"));
    EXPECT_THAT(refusal_of({index, {.name = blob, .hard_link = (victim / "Documents/thesis").string()}}),
                HasSubstr("is a link"));
    EXPECT_EQ(std::distance(fs::directory_iterator{victim}, {}), 1);
    EXPECT_TRUE(fs::exists(victim / "Documents/thesis"));
}

TEST_F(ArchiveUnpackTest, AFileInAFoldersPlaceIsPassedOver)
{
    unpack_all(make_layer({{.name = "blobs", .content = "x"},
                           {.name = "blobs/sha256", .content = "x"},
                           {.name = blob, .content = "b"},
                           index}));
    EXPECT_EQ(content(blob), "b");
}

TEST_F(ArchiveUnpackTest, DevicesAndFilesThatAreThereTwiceAreRefused)
{
    for (const auto kind : {AE_IFCHR, AE_IFBLK, AE_IFIFO}) {
        EXPECT_THAT(refusal_of({index, {.name = "odd", .type = kind}}), HasSubstr("is a device or such"));
    }
    EXPECT_THAT(refusal_of({index, {.name = "./index.json", .content = "other"}}), HasSubstr("is there twice"));
    EXPECT_EQ(content("index.json"), "{}");
}

TEST_F(ArchiveUnpackTest, WhatIsNoLayoutIsRefused)
{
    EXPECT_THAT(refusal_of({{.name = "oci-layout", .content = "v1"}}), HasSubstr("has no index.json"));
    EXPECT_THAT(refusal("hello"), HasSubstr("can't be unpacked"));
    const auto whole = make_layer({index, {.name = blob, .content = std::string(100'000, 'b')}}, false);
    EXPECT_THAT(refusal(whole.substr(0, 50'000)), HasSubstr("can't be unpacked"));
    EXPECT_THAT(refusal(make_layer({index}).substr(0, 60)), HasSubstr("can't be unpacked"));
}

TEST_F(ArchiveUnpackTest, MoreThanTheImageHoldsIsRefused)
{
    bounds.bytes = 150'000;
    const std::string half(100'000, 'b');
    EXPECT_EQ(refusal_of({index, {.name = blob, .content = half}}), "it was taken");
    EXPECT_THAT(refusal_of({index, {.name = blob, .content = half}, {.name = "other", .content = half}}),
                HasSubstr("give it more (--size)"));
    const auto sparse = [](archive_entry* entry) {
        archive_entry_set_size(entry, la_int64_t{1} << 50U);
        archive_entry_sparse_add_entry(entry, (la_int64_t{1} << 50U) - 10, 10);
    };
    EXPECT_THAT(refusal_of({index, {.name = blob, .content = "0123456789", .shape = sparse}}), HasSubstr("--size"));
    bounds.entries = 3;
    EXPECT_THAT(refusal_of({index, {.name = "a"}, {.name = "b/", .type = AE_IFDIR}, {.name = "c"}}),
                HasSubstr("more than 3 files"));
}

TEST_F(ArchiveUnpackTest, ABombIsRefused)
{
    EXPECT_THAT(refusal_of({index, {.name = blob, .content = std::string(100'000'000, '\0')}}),
                HasSubstr("it is a bomb"));
}

TEST_F(ArchiveUnpackTest, OnlyRegularFilesAreRead)
{
    for (const auto& file : {folder.path, fs::path{"/dev/zero"}, folder.path / "gone"}) {
        EXPECT_THROW(unpack_oci_archive(file, place, bounds, progress), Error) << file;
    }
}

TEST_F(ArchiveUnpackTest, AStopEndsIt)
{
    stop.request_stop();
    try {
        unpack_all(make_layer({index}));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Cancelled);
    }
}

}  // namespace
}  // namespace banger::agent
