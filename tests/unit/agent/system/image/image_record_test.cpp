// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/image_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "agent/system/image/debian.hpp"
#include "agent/system/image/root_tree.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class ImageRecordTest : public ::testing::Test {
protected:
    ImageRecipe recipe() const
    {
        return {.name = "x", .suite = "bookworm", .size = {}, .packages = {}, .packages_file = {}};
    }
    std::filesystem::path write(const std::string& name, std::string_view text) const
    {
        test::write_file(folder.path / name, test::file_bytes(text));
        return folder.path / name;
    }

    test::TemporaryFolder folder;
};

TEST_F(ImageRecordTest, ListsAreAddedOrTakeTheUsualOnesPlace)
{
    auto wanted = recipe();
    wanted.packages = {"jq"};
    EXPECT_THAT(package_names(packages_of(wanted, "bookworm")), Contains("systemd-sysv"));
    EXPECT_EQ(packages_of(wanted, "bookworm").back(), (ListedPackage{"jq", "--packages"}));
    wanted.packages_file = write("list", "udev\n");
    wanted.more_packages_files = {write("more", "\nmake\n")};
    EXPECT_THAT(
        packages_of(wanted, "bookworm"),
        ElementsAre(ListedPackage{"udev", (folder.path / "list").string() + ":1"},
                    ListedPackage{"make", (folder.path / "more").string() + ":2"}, ListedPackage{"jq", "--packages"}));
    wanted.docker = true;
    EXPECT_THAT(package_names(packages_of(wanted, "bookworm")), Contains("docker.io"));
}

TEST_F(ImageRecordTest, AListThatIsAPipeIsRefusedAndNotWaitedFor)
{
    auto wanted = recipe();
    wanted.packages_file = folder.path / "pipe";
    ASSERT_EQ(::mkfifo(wanted.packages_file.c_str(), 0600), 0);
    EXPECT_THROW(packages_of(wanted, "bookworm"), Error);
    wanted.packages_file = folder.path;
    EXPECT_THROW(packages_of(wanted, "bookworm"), Error);
}

TEST_F(ImageRecordTest, ABaseHasTheUsualPackagesAlready)
{
    auto wanted = recipe();
    wanted.base = "/base.ext4";
    wanted.packages = {"jq"};
    EXPECT_THAT(package_names(packages_of(wanted, "bookworm")), ElementsAre("jq"));
}

TEST_F(ImageRecordTest, TheSameInputsAreTheSameHoweverTheyAreWritten)
{
    auto one = recipe();
    one.packages = {"jq", "make"};
    auto other = recipe();
    other.packages = {"make"};
    other.more_packages_files = {write("more", "make jq\n")};
    other.size = usual_image_size;
    EXPECT_EQ(inputs_of(one), inputs_of(other));
}

TEST_F(ImageRecordTest, EachInputCounts)
{
    const auto usual = inputs_of(recipe());
    const auto differs = [&](const std::function<void(ImageRecipe&)>& change) {
        auto changed = recipe();
        change(changed);
        return inputs_of(changed) != usual;
    };
    EXPECT_TRUE(differs([](ImageRecipe& r) { r.suite = "trixie"; }));
    EXPECT_TRUE(differs([](ImageRecipe& r) { r.size = 4 * gib; }));
    EXPECT_TRUE(differs([](ImageRecipe& r) { r.packages = {"jq"}; }));
    EXPECT_TRUE(differs([](ImageRecipe& r) { r.docker = true; }));
    EXPECT_TRUE(differs([](ImageRecipe& r) { r.base = "/base"; }));
    EXPECT_TRUE(differs([this](ImageRecipe& r) { r.customize_script = write("script", "echo"); }));
    auto scripted = recipe();
    scripted.customize_script = write("script", "echo");
    const auto before = inputs_of(scripted);
    write("script", "echo more");
    EXPECT_NE(inputs_of(scripted), before) << "its content is what counts";
    EXPECT_FALSE(differs([](ImageRecipe& r) { r.name = "y"; }));
}

TEST_F(ImageRecordTest, AnImageOfBeforeInputsWereWrittenIsKnownByWhatElseItSays)
{
    write("image.json", nlohmann::json{{"name", "debian"},
                                       {"origin", "debian bookworm"},
                                       {"size", usual_image_size.bytes()},
                                       {"packages", package_names(default_packages())}}
                            .dump());
    EXPECT_EQ(recorded_inputs(folder.path), inputs_of(recipe()));
    write("image.json", R"({"name": "x", "origin": "VM web"})");
    EXPECT_TRUE(recorded_inputs(folder.path).is_null());
    write("image.json", "damaged");
    EXPECT_TRUE(recorded_inputs(folder.path).is_null());
}

TEST_F(ImageRecordTest, ACopyThatKeptItsTimeIsTheSameAndAWriteIsNot)
{
    EXPECT_TRUE(is_same_stamp("7 1700000000123456789 42", "7 1700000000123456789 42"));
    EXPECT_TRUE(is_same_stamp("7 1700000000123456789 42", "7 1700000000000000000 43")) << "out of a tar archive";
    EXPECT_FALSE(is_same_stamp("7 1700000000123456789 42", "7 1700000000123456790 42")) << "written to in its place";
    EXPECT_FALSE(is_same_stamp("7 1700000000123456789 42", "8 1700000000000000000 43"));
    EXPECT_FALSE(is_same_stamp("7 1700000000123456789 42", "7 1700000001000000000 43"));
    EXPECT_FALSE(is_same_stamp("7 1700000000123456789 42", "")) << "it is gone";
    EXPECT_FALSE(is_same_stamp("damaged", "7 1700000000123456789 42"));
}

TEST_F(ImageRecordTest, ADescriptionHasAStampOfTheDiskAndWhatElseIsToBeKept)
{
    write("rootfs.ext4", "content");
    describe_image(folder.path, "x", "file y", Digest::parse(std::string(64, 'a')), {{"source", "y"}});
    const auto bytes = test::read_whole(folder.path / "image.json");
    const auto json = nlohmann::json::parse(bytes);
    EXPECT_EQ(json["stamp"], stamp_of(folder.path / "rootfs.ext4"));
    EXPECT_EQ(json["size"], 7U);
    EXPECT_EQ(member_of(folder.path, "source"), "y");
    EXPECT_TRUE(member_of(folder.path, "gone").is_null());
    EXPECT_TRUE(member_of(folder.path / "gone", "source").is_null());
    EXPECT_EQ(stamp_of(folder.path / "gone"), "");
}

}  // namespace
}  // namespace banger::agent
