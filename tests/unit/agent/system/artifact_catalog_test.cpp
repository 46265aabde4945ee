// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/artifact_catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/system/image/image_record.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string digest_of(const std::string& start) { return start + std::string(64 - start.size(), '0'); }
bool unused(const Digest&) { return false; }
bool used(const Digest&) { return true; }

class ArtifactCatalogTest : public ::testing::Test {
protected:
    std::filesystem::path write(const std::filesystem::path& place, const std::string& name, const std::string& digest,
                                std::int64_t created = 1)
    {
        std::filesystem::create_directories(place);
        std::ofstream{place / "image.json"} << nlohmann::json{
            {"name", name},      {"digest", digest}, {"size", 1000}, {"allocated", 500}, {"origin", "debian bookworm"},
            {"created", created}};
        return place;
    }
    std::filesystem::path draft(const std::string& name, const std::string& digest, std::int64_t created = 1)
    {
        return write(ArtifactCatalog{folder, "image.json"}.draft(name), name, digest, created);
    }
    static std::vector<std::string> names(const ArtifactCatalog& catalog)
    {
        std::vector<std::string> list;
        for (const auto& artifact : catalog.list()) {
            list.push_back(artifact.name + " " + artifact.digest.str().substr(0, 2));
        }
        return list;
    }

    test::TemporaryFolder root;
    std::filesystem::path folder{root.path / "images"};
};

TEST_F(ArtifactCatalogTest, NoFolderIsAnEmptyCatalog)
{
    ArtifactCatalog catalog{folder, "image.json"};
    EXPECT_THAT(catalog.list(), IsEmpty());
    EXPECT_THAT(catalog.drafts(), IsEmpty());
    EXPECT_FALSE(catalog.find("debian"));
}

TEST_F(ArtifactCatalogTest, AnAdoptedDraftIsFoundByNameAndDigestAlsoByTheNextOne)
{
    ArtifactCatalog catalog{folder, "image.json"};
    const auto made = catalog.adopt(draft("debian", digest_of("aa")), unused);
    EXPECT_EQ(made.name, "debian");
    EXPECT_EQ(made.folder, folder / digest_of("aa"));
    const ArtifactCatalog next{folder, "image.json"};
    for (const ArtifactCatalog* look : std::initializer_list<const ArtifactCatalog*>{&catalog, &next}) {
        ASSERT_TRUE(look->find("debian"));
        EXPECT_EQ(look->find("debian")->used, 500U);
        EXPECT_TRUE(look->find(digest_of("aa")));
        EXPECT_TRUE(look->find(digest_of("aa").substr(0, 8)));
        EXPECT_FALSE(look->find(digest_of("aa").substr(0, 7)));
        EXPECT_FALSE(look->find(""));
        EXPECT_FALSE(look->find("deb"));
    }
    EXPECT_THAT(catalog.drafts(), IsEmpty());
}

TEST_F(ArtifactCatalogTest, ADigestThatTwoBeginWithIsRefused)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("a", "aaaaaaaaaa11" + std::string(52, '0')), unused);
    catalog.adopt(draft("b", "aaaaaaaaaa22" + std::string(52, '0')), unused);
    EXPECT_THROW(catalog.find("aaaaaaaaaa"), Error);
    EXPECT_EQ(catalog.find("aaaaaaaaaa2")->name, "b");
}

TEST_F(ArtifactCatalogTest, ANewerOneOfTheNameTakesItsPlace)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("debian", digest_of("aa")), unused);
    catalog.adopt(draft("debian", digest_of("bb")), unused);
    EXPECT_THAT(names(catalog), ElementsAre("debian bb"));
    EXPECT_FALSE(std::filesystem::exists(folder / digest_of("aa")));
}

TEST_F(ArtifactCatalogTest, AnOlderOneThatAVmUsesIsKeptWithoutItsName)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("debian", digest_of("aa")), unused);
    catalog.adopt(draft("debian", digest_of("bb")), used);
    EXPECT_THAT(names(catalog), ElementsAre(" aa", "debian bb"));
    EXPECT_THAT(names(ArtifactCatalog{folder, "image.json"}), ElementsAre(" aa", "debian bb"));
    EXPECT_TRUE(catalog.find(digest_of("aa")));
}

TEST_F(ArtifactCatalogTest, TheSameContentAgainKeepsTheFolderThatVmsPointTo)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("debian", digest_of("aa")), unused);
    std::ofstream{folder / digest_of("aa") / "rootfs.ext4"} << "in use";
    catalog.adopt(draft("debian", digest_of("aa")), used);
    EXPECT_TRUE(std::filesystem::exists(folder / digest_of("aa") / "rootfs.ext4"));
    EXPECT_THAT(names(catalog), ElementsAre("debian aa"));
    EXPECT_THAT(catalog.drafts(), IsEmpty());
}

TEST_F(ArtifactCatalogTest, TheNewOneIsInItsPlaceBeforeTheOlderOneLosesItsName)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("debian", digest_of("aa"), 1), unused);
    std::vector<std::string> seen;
    // As a bangerd finds them that starts after a SIGKILL just then.
    const auto killed_here = [&](const Digest&) {
        seen = names(ArtifactCatalog{folder, "image.json"});
        return true;
    };
    catalog.adopt(draft("debian", digest_of("bb"), 2), killed_here);
    EXPECT_THAT(seen, ElementsAre(" aa", "debian bb"));
}

TEST_F(ArtifactCatalogTest, ContentThatIsMadeAnewCountsAsTheNewerOne)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("debian", digest_of("aa"), 1), unused);
    catalog.adopt(draft("debian", digest_of("bb"), 2), used);
    catalog.adopt(draft("debian", digest_of("aa"), 3), used);
    EXPECT_THAT(names(catalog), ElementsAre(" bb", "debian aa"));
    EXPECT_EQ(catalog.find("debian")->created, 3);
}

TEST_F(ArtifactCatalogTest, ContentThatHasAnotherNameKeepsIt)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("mine", digest_of("aa")), unused);
    try {
        catalog.adopt(draft("debian", digest_of("aa")), unused);
        FAIL() << "mine has lost its name";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::AlreadyExists);
        EXPECT_THAT(error.what(), ::testing::HasSubstr("mine"));
    }
    EXPECT_THAT(names(catalog), ElementsAre("mine aa"));
}

TEST_F(ArtifactCatalogTest, ANameGoesBeforeDigestsThatBeginWithIt)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("a1", "aaaaaaaaaa11" + std::string(52, '0')), unused);
    catalog.adopt(draft("a2", "aaaaaaaaaa22" + std::string(52, '0')), unused);
    catalog.adopt(draft("aaaaaaaa", digest_of("cc")), unused);
    EXPECT_EQ(catalog.find("aaaaaaaa")->digest.str(), digest_of("cc"));
}

TEST_F(ArtifactCatalogTest, OfTwoOfOneNameThatASigkillLeftTheNewerHasIt)
{
    write(folder / digest_of("aa"), "debian", digest_of("aa"), 1);
    write(folder / digest_of("bb"), "debian", digest_of("bb"), 2);
    write(folder / digest_of("cc"), "debian", digest_of("cc"), 1);
    const ArtifactCatalog catalog{folder, "image.json"};
    EXPECT_THAT(names(catalog), ElementsAre(" aa", " cc", "debian bb"));
    EXPECT_EQ(catalog.find("debian")->digest.str(), digest_of("bb"));
}

TEST_F(ArtifactCatalogTest, DraftsAndDamagedFoldersAreNoArtifacts)
{
    write(folder / digest_of("aa"), "debian", digest_of("bb"));  // another digest than its folder's
    write(folder / digest_of("cc"), "../x", digest_of("cc"));
    write(folder / "not-a-digest", "debian", "not-a-digest");
    draft("half", digest_of("dd"));
    std::filesystem::create_directories(folder / digest_of("ee"));
    std::ofstream{folder / digest_of("ee") / "image.json"} << "{ half";
    std::filesystem::create_directories(folder / digest_of("ff") / "image.json");
    ArtifactCatalog catalog{folder, "image.json"};
    EXPECT_THAT(catalog.list(), IsEmpty());
    EXPECT_THAT(catalog.drafts(), ElementsAre(catalog.draft("half")));
}

TEST_F(ArtifactCatalogTest, ADraftWithoutAWholeDescriptionIsRefused)
{
    ArtifactCatalog catalog{folder, "image.json"};
    std::filesystem::create_directories(catalog.draft("debian"));
    try {
        catalog.adopt(catalog.draft("debian"), unused);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    }
    EXPECT_THAT(catalog.list(), IsEmpty());
}

TEST_F(ArtifactCatalogTest, RemovingLeavesNothingAndIsNoErrorTwice)
{
    ArtifactCatalog catalog{folder, "image.json"};
    catalog.adopt(draft("debian", digest_of("aa")), unused);
    catalog.remove(Digest::parse(digest_of("aa")));
    EXPECT_THAT(catalog.list(), IsEmpty());
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    catalog.remove(Digest::parse(digest_of("aa")));
}

TEST_F(ArtifactCatalogTest, WhatAnotherBangerdTakesInOrRemovesIsSeen)
{
    ArtifactCatalog ours{folder, "image.json"};
    ArtifactCatalog theirs{folder, "image.json"};
    EXPECT_FALSE(ours.find("debian"));
    theirs.adopt(draft("debian", digest_of("aa"), 1), unused);
    EXPECT_TRUE(ours.find("debian"));
    theirs.adopt(draft("debian", digest_of("bb"), 2), unused);
    EXPECT_THAT(names(ours), ElementsAre("debian bb"));
    ours.adopt(draft("debian", digest_of("cc"), 3), used);
    EXPECT_THAT(names(theirs), ElementsAre(" bb", "debian cc"));
    theirs.remove(Digest::parse(digest_of("cc")));
    EXPECT_FALSE(ours.find("debian"));
}

TEST_F(ArtifactCatalogTest, WhatAnotherBangerdHasGivenANameIsNoLongerNameless)
{
    ArtifactCatalog ours{folder, "image.json"};
    ours.adopt(draft("mine", digest_of("aa"), 1), unused);
    ours.adopt(draft("mine", digest_of("bb"), 2), used);
    ASSERT_THAT(names(ours), ElementsAre(" aa", "mine bb"));
    ArtifactCatalog{folder, "image.json"}.adopt(draft("theirs", digest_of("aa"), 3), used);
    EXPECT_FALSE(ours.set_aside_nameless(Digest::parse(digest_of("aa"))));
    EXPECT_THAT(names(ours), ElementsAre("mine bb", "theirs aa"));
    ours.adopt(draft("theirs", digest_of("cc"), 4), used);
    const auto aside = ours.set_aside_nameless(Digest::parse(digest_of("aa")));
    ASSERT_TRUE(aside);
    EXPECT_TRUE(std::filesystem::exists(*aside / "image.json"));
    EXPECT_THAT(names(ours), ElementsAre("mine bb", "theirs cc"));
}

class StampTest : public ArtifactCatalogTest {
protected:
    Artifact take_in()
    {
        const auto place = draft("debian", digest_of("aa"));
        std::ofstream{place / "rootfs.ext4"} << "content";
        std::ofstream{place / "image.json"} << nlohmann::json{
            {"name", "debian"}, {"digest", digest_of("aa")}, {"stamp", stamp_of(place / "rootfs.ext4")}};
        return catalog.adopt(place, unused);
    }
    std::string refusal(const Artifact& artifact)
    {
        try {
            catalog.check(artifact);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData);
            return error.what();
        }
        return "";
    }

    ArtifactCatalog catalog{folder, "image.json"};
};

TEST_F(StampTest, AFileThatIsAsItWasTakenInIsFine)
{
    const auto image = take_in();
    EXPECT_EQ(refusal(image), "");
    EXPECT_EQ(refusal(ArtifactCatalog{folder, "image.json"}.find("debian").value()), "");
}

TEST_F(StampTest, AnotherSizeOrTimeIsToldWithTheImagesNameAndItsMend)
{
    const auto image = take_in();
    std::ofstream{image.folder / "rootfs.ext4"} << "another content";
    EXPECT_THAT(refusal(image), ::testing::HasSubstr("the image debian is not as it was taken in"));
    EXPECT_THAT(refusal(image), ::testing::HasSubstr("banger image verify debian"));
    std::filesystem::remove(image.folder / "rootfs.ext4");
    EXPECT_THAT(refusal(image), ::testing::HasSubstr("is gone"));
}

TEST_F(StampTest, WhatSomebodyHasReadWholeIsTakenAsItIsNow)
{
    const auto image = take_in();
    std::filesystem::copy_file(image.folder / "rootfs.ext4", image.folder / "copy");
    std::filesystem::last_write_time(image.folder / "copy",
                                     std::filesystem::file_time_type::clock::now() + std::chrono::hours{1});
    std::filesystem::rename(image.folder / "copy", image.folder / "rootfs.ext4");
    EXPECT_NE(refusal(image), "");
    catalog.restamp(image.digest);
    EXPECT_EQ(refusal(catalog.find("debian").value()), "");
}

TEST_F(StampTest, AKernelHasOneForEachOfItsFiles)
{
    ArtifactCatalog kernels{root.path / "kernels", "kernel.json"};
    const auto place = kernels.draft("mine");
    std::filesystem::create_directories(place);
    std::ofstream{place / "vmlinux"} << "a kernel";
    std::ofstream{place / "modules.ext4"} << "modules";
    std::ofstream{place / "kernel.json"} << nlohmann::json{
        {"name", "mine"},
        {"digest", digest_of("aa")},
        {"stamps", stamps_of(place, {"vmlinux", "modules.ext4", "none"})}};
    const auto kernel = kernels.adopt(place, unused);
    EXPECT_EQ(kernel.stamps.size(), 2U);
    EXPECT_NO_THROW(kernels.check(kernel));
    std::ofstream{kernel.folder / "modules.ext4"} << "another content";
    try {
        kernels.check(kernel);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("modules.ext4 has another size or time"));
    }
}

TEST_F(StampTest, AnImageOfBeforeThereWereStampsIsFine)
{
    catalog.adopt(draft("debian", digest_of("aa")), unused);
    EXPECT_EQ(refusal(catalog.find("debian").value()), "");
}

TEST_F(StampTest, TheSameContentAgainTakesThePlaceOfOneThatWasDamaged)
{
    const auto image = take_in();
    std::ofstream{image.folder / "rootfs.ext4"} << "damaged";
    const auto again = take_in();
    EXPECT_EQ(refusal(again), "");
    std::ifstream file{again.folder / "rootfs.ext4"};
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>{file}, {}}), "content");
}

TEST_F(StampTest, TheSameContentMadeOfSomethingElseIsDescribedAnewAndKeepsItsFile)
{
    const auto image = take_in();
    const auto stamp = image.stamps.at("rootfs.ext4");
    const auto place = draft("debian", digest_of("aa"), 7);
    std::ofstream{place / "rootfs.ext4"} << "content";
    std::ofstream{place / "image.json"} << nlohmann::json{{"name", "debian"},
                                                          {"digest", digest_of("aa")},
                                                          {"origin", "file root.ext4"},
                                                          {"source", "/home/me/root.ext4"},
                                                          {"stamp", stamp_of(place / "rootfs.ext4")}};
    const auto again = catalog.adopt(place, unused);
    EXPECT_EQ(again.origin, "file root.ext4");
    EXPECT_EQ(again.stamps.at("rootfs.ext4"), stamp);
    EXPECT_EQ(refusal(again), "");
    EXPECT_EQ(nlohmann::json::parse(std::ifstream{again.folder / "image.json"})["source"], "/home/me/root.ext4");
}

TEST_F(StampTest, OneThatWasReadAndIsDamagedIsRefusedAndGivesWayToTheSameContent)
{
    const auto image = take_in();
    std::ofstream{image.folder / "rootfs.ext4", std::ios::in} << "c0ntent";
    catalog.restamp(image.digest);  // no stat shows it
    EXPECT_EQ(refusal(catalog.find("debian").value()), "");
    catalog.mark_damaged(catalog.find("debian").value());
    EXPECT_THAT(refusal(catalog.find("debian").value()), ::testing::HasSubstr("the image debian is damaged"));
    EXPECT_NE(refusal(ArtifactCatalog{folder, "image.json"}.find("debian").value()), "");
    const auto again = take_in();
    EXPECT_EQ(refusal(again), "");
    std::ifstream file{again.folder / "rootfs.ext4"};
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>{file}, {}}), "content");
}

TEST_F(StampTest, DamageThatASecondReadingDoesNotFindIsForgotten)
{
    const auto image = take_in();
    catalog.mark_damaged(image);
    EXPECT_NE(refusal(catalog.find("debian").value()), "");
    catalog.restamp(image.digest);
    EXPECT_EQ(refusal(catalog.find("debian").value()), "");
}

TEST_F(StampTest, DamageOfOneThatHasGivenWaySinceIsNotThatOfTheNewOne)
{
    const auto read = take_in();
    std::ofstream{read.folder / "rootfs.ext4"} << "damaged";
    take_in();
    catalog.mark_damaged(read);
    EXPECT_EQ(refusal(catalog.find("debian").value()), "");
}

TEST_F(StampTest, OneThatIsSetAsideIsGoneFromTheCatalogAndADraftToRemove)
{
    const auto image = take_in();
    const auto aside = catalog.set_aside(image.digest);
    EXPECT_FALSE(catalog.find("debian"));
    EXPECT_THAT(catalog.drafts(), ElementsAre(aside));
    EXPECT_TRUE(std::filesystem::exists(aside / "rootfs.ext4"));
    EXPECT_NO_THROW(catalog.set_aside(image.digest)) << "one that isn't there is fine";
}

}  // namespace
}  // namespace banger::agent
