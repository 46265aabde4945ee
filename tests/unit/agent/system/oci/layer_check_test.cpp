// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/layer_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"
#include "common/size.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/oci/layer_maker.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"

namespace banger::agent {
namespace {

using test::LayerMember;
using test::make_layer;
using ::testing::HasSubstr;

class LayerCheckTest : public ::testing::Test {
protected:
    LayerFile put(const std::vector<LayerMember>& members) const
    {
        return test::put_layer(folder.path, make_layer(members));
    }
    LayerVerdict check(const std::vector<LayerFile>& layers) const { return check_layers(layers, bounds, {}); }
    /// The sentence of a refusal.
    std::string refusal(const std::vector<LayerFile>& layers) const
    {
        try {
            const auto verdict = check(layers);
            ADD_FAILURE() << "was taken: " << verdict.entries << " entries, " << verdict.bytes << " bytes";
            return "";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
            return error.what();
        }
    }
    std::string refusal_of(const std::vector<LayerMember>& members) const
    {
        return refusal(std::vector<LayerFile>{put(members)});
    }

    test::TemporaryFolder folder;
    LayerBounds bounds{gib.bytes(), 10'000};
};

TEST_F(LayerCheckTest, SoundLayersAreCountedTogether)
{
    const auto lower = put({{.name = "etc/", .type = AE_IFDIR},
                            {.name = "etc/a", .content = std::string(100'000, 'a')},
                            {.name = "etc/b", .hard_link = "etc/a"}});
    const auto upper = put({{.name = "etc/.wh.a"}, {.name = "etc/.wh..wh..opq"}, {.name = "/abs", .content = "x"}});
    const auto verdict = check({lower, upper});
    EXPECT_EQ(verdict.entries, 6U);
    EXPECT_GE(verdict.bytes, 100'001U);
    EXPECT_LT(verdict.bytes, 200'000U);
    EXPECT_EQ(verdict.wrong_blob, "");
}

TEST_F(LayerCheckTest, LayersThatArePackedOrNotOrEmpty)
{
    const auto plain = test::put_layer(folder.path, make_layer({{.name = "a", .content = "x"}}, false), false);
    EXPECT_EQ(check({plain}).entries, 1U);
    EXPECT_EQ(check({put({})}).entries, 0U);
    EXPECT_EQ(check({test::put_layer(folder.path, std::string(1024, '\0'), false)}).entries, 0U);
}

TEST_F(LayerCheckTest, NamesThatLeadOutAreRefused)
{
    for (const auto* name : {"../x", "a/../../x", "a/..", "..", "/../x"}) {
        EXPECT_THAT(refusal_of({{.name = name}}), HasSubstr("leads out of the image")) << name;
        EXPECT_THAT(refusal_of({{.name = "a", .hard_link = name}}), HasSubstr("leads out of the image")) << name;
    }
    EXPECT_THAT(refusal_of({{.name = "a/\x1b[31m/../x"}}), HasSubstr("a/?[31m/../x")) << "as it may be shown";
    EXPECT_EQ(check({put({{.name = "a..b/..c"}})}).entries, 1U);
}

TEST_F(LayerCheckTest, SymbolicLinksMayPointAnywhereAsTheGuestAloneFollowsThem)
{
    const auto link = [](const char* target) {
        return [target](archive_entry* entry) { archive_entry_set_symlink(entry, target); };
    };
    EXPECT_EQ(check({put({{.name = "a", .type = AE_IFLNK, .shape = link("/etc/passwd")},
                          {.name = "b", .type = AE_IFLNK, .shape = link("../../../x")}})})
                  .entries,
              2U);
}

TEST_F(LayerCheckTest, WhiteoutsOfNoFileAreRefused)
{
    for (const auto* name : {".wh.", "a/.wh.", ".wh..", "a/.wh..", ".wh...", "a/b/.wh...", "a/.wh.../"}) {
        EXPECT_THAT(refusal_of({{.name = name}}), HasSubstr("whiteout that names no file")) << name;
    }
}

TEST_F(LayerCheckTest, NamesLongerThanAPathAreRefused)
{
    EXPECT_THAT(refusal_of({{.name = std::string(5000, 'a')}}), HasSubstr("name can't be one"));
    EXPECT_THAT(refusal_of({{.name = "a", .hard_link = std::string(5000, 'a')}}), HasSubstr("name can't be one"));
}

TEST_F(LayerCheckTest, TooManyEntriesAreRefusedOverAllLayers)
{
    bounds.entries = 3;
    const auto two = put({{.name = "a"}, {.name = "b"}});
    EXPECT_EQ(check({two}).entries, 2U);
    EXPECT_THAT(refusal(std::vector<LayerFile>{two, put({{.name = "c"}, {.name = "d"}})}),
                HasSubstr("more than 3 files"));
}

TEST_F(LayerCheckTest, MoreThanTheImageHoldsIsRefusedOverAllLayers)
{
    bounds.bytes = 1'000'000;
    const auto half = [this](char letter) { return put({{.name = "a", .content = std::string(600'000, letter)}}); };
    EXPECT_EQ(check({half('a')}).entries, 1U);
    EXPECT_THAT(refusal(std::vector<LayerFile>{half('a'), half('b')}), HasSubstr("give it more (--size)"));
}

TEST_F(LayerCheckTest, AFileThatClaimsToBeHugeIsRefusedByItsHeaderAlone)
{
    const auto sparse = [](archive_entry* entry) {
        archive_entry_set_size(entry, la_int64_t{1} << 50U);
        archive_entry_sparse_add_entry(entry, (la_int64_t{1} << 50U) - 10, 10);
    };
    EXPECT_THAT(refusal_of({{.name = "a", .content = "0123456789", .shape = sparse}}), HasSubstr("--size"));
}

TEST_F(LayerCheckTest, AStreamThatUnpacksToFarMoreThanItHasIsRefused)
{
    // 70 MB of zeros are some 70 kB of gzip.
    const auto bomb = put({{.name = "a", .content = std::string(70'000'000, '\0')}});
    ASSERT_LT(bomb.blob.size, 200'000U);
    EXPECT_THAT(refusal(std::vector<LayerFile>{bomb}), HasSubstr("200 times"));
    // Small ones may, as an empty file system does.
    EXPECT_EQ(check({put({{.name = "a", .content = std::string(60'000'000, '\0')}})}).entries, 1U);
}

TEST_F(LayerCheckTest, WhatIsNoTarOrIsCutOffIsRefused)
{
    const auto whole = make_layer({{.name = "a", .content = std::string(100'000, 'a')}}, false);
    EXPECT_THAT(refusal({test::put_layer(folder.path, whole.substr(0, 50'000), false)}), HasSubstr("damaged"));
    EXPECT_THAT(refusal({test::put_layer(folder.path, "hello", false)}), HasSubstr("damaged"));
    EXPECT_THAT(refusal({test::put_layer(folder.path, "hello", true)}), HasSubstr("damaged"));
    const auto packed = make_layer({{.name = "a", .content = std::string(100'000, 'a')}});
    EXPECT_THAT(refusal({test::put_layer(folder.path, packed.substr(0, packed.size() / 2), true)}),
                HasSubstr("damaged"));
}

TEST_F(LayerCheckTest, PackingIsWhatTheManifestSaysAndNothingElse)
{
    const auto packed = make_layer({{.name = "a"}});
    EXPECT_THAT(refusal({test::put_layer(folder.path, packed, false)}), HasSubstr("damaged"));
}

TEST_F(LayerCheckTest, ALayerThatIsPackedTwiceIsDamaged)
{
    const auto packed = test::gzipped(make_layer({{.name = "a"}}));
    EXPECT_THAT(refusal({test::put_layer(folder.path, packed)}), HasSubstr("damaged"));
}

TEST_F(LayerCheckTest, ABlobWithOtherBytesIsToldWithItsDigest)
{
    const auto bytes = make_layer({{.name = "a", .content = std::string(300'000, 'a')}});
    for (const auto& changed : {bytes.substr(0, bytes.size() - 1), bytes + "x", std::string(bytes.size(), 'x')}) {
        const auto layer = test::put_layer(folder.path, bytes);
        std::ofstream{layer.file, std::ios::binary | std::ios::trunc} << changed;
        EXPECT_EQ(check({layer}).wrong_blob, layer.blob.digest);
    }
    const auto layer = test::put_layer(folder.path, bytes);
    EXPECT_EQ(check({layer}).wrong_blob, "");
}

TEST_F(LayerCheckTest, BytesBehindTheArchiveBelongToTheBlob)
{
    const auto bytes = make_layer({{.name = "a", .content = "x"}}, false) + std::string(100'000, 'z');
    EXPECT_EQ(check({test::put_layer(folder.path, bytes, false)}).wrong_blob, "");
}

TEST_F(LayerCheckTest, WhatComesOutBehindTheArchiveIsCountedToo)
{
    // gzip members one behind the other are one stream; whoever unpacks it reads on to its end, to know its digest.
    const auto empty = make_layer({});
    auto bomb = make_layer({{.name = "a", .content = "x"}});
    const auto zeros = make_layer({{.name = "zeros", .content = std::string(70'000'000, '\0')}});
    bomb += zeros;
    EXPECT_THAT(refusal({test::put_layer(folder.path, bomb)}), HasSubstr("200 times"));
    bounds.bytes = 1'000'000;
    auto large = make_layer({{.name = "a", .content = "x"}}, false) + std::string(2'000'000, 'z');
    EXPECT_THAT(refusal({test::put_layer(folder.path, large, false)}), HasSubstr("give it more (--size)"));
    EXPECT_EQ(check({test::put_layer(folder.path, empty + empty)}).entries, 0U);
}

TEST_F(LayerCheckTest, OnlyRegularFilesAreRead)
{
    const auto missing = LayerFile{folder.path / "gone", {.digest = {}, .size = 0}};
    try {
        check({missing});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
    }
    EXPECT_THROW(check({{folder.path, {.digest = {}, .size = 0}}}), Error);
    EXPECT_THROW(check({{"/dev/zero", {.digest = {}, .size = 0}}}), Error);
    const auto real = put({{.name = "a"}});
    std::filesystem::create_symlink(real.file, folder.path / "link");
    EXPECT_THROW(check({{folder.path / "link", real.blob}}), Error);
}

TEST_F(LayerCheckTest, AStopEndsIt)
{
    std::stop_source stop;
    stop.request_stop();
    try {
        check_layers({put({{.name = "a"}})}, bounds, stop.get_token());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Cancelled);
    }
}

}  // namespace
}  // namespace banger::agent
