// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/system/disks.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"
#include "tests/unit/agent/system/runtime/bundle_maker.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

using test::content_of;
using test::make_archive;
using test::Member;
using test::no_progress;
using test::Packing;
using test::sha256_of;
using ::testing::HasSubstr;

class BundleUnpackTest : public ::testing::Test {
protected:
    BundleUnpackTest() { std::filesystem::create_directories(place); }

    void unpack_all(const std::string& archive)
    {
        const auto file = folder.path / "archive";
        std::ofstream{file, std::ios::binary} << archive;
        const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
        unpack_bundle(fd.get(), sum.value_or(sha256_of(archive)), place, no_progress(), limits);
    }
    std::string unpack_refusal(const std::string& archive)
    {
        try {
            unpack_all(archive);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
            return error.what();
        }
        return "it was taken";
    }
    std::string refusal_of(const std::vector<Member>& members)
    {
        std::filesystem::remove_all(place);
        std::filesystem::create_directories(place);
        return unpack_refusal(make_archive(Packing::Tgz, members));
    }

    test::TemporaryFolder folder;
    std::filesystem::path place = folder.path / "a/place";
    UnpackLimits limits{};
    std::optional<Digest> sum;
};

/// One entry of another kind than a file.
std::string odd_archive(const std::string& name, unsigned kind)
{
    std::string out(100'000, '\0');
    std::size_t used = 0;
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_pax_restricted(writer.get());
    archive_write_add_filter_gzip(writer.get());
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_perm(entry.get(), 0755);
    archive_entry_set_filetype(entry.get(), kind);
    archive_entry_set_rdevmajor(entry.get(), 1);
    archive_entry_set_rdevminor(entry.get(), 3);
    archive_write_header(writer.get(), entry.get());
    archive_write_close(writer.get());
    out.resize(used);
    return out;
}

TEST_F(BundleUnpackTest, PlainFilesAreUnpackedWithOrWithoutADotBefore)
{
    unpack_all(make_archive(Packing::Tgz, {{"vmlinux", "a kernel"}, {"./initrd", "another"}, {"bundle.json", "{}"}}));
    EXPECT_EQ(content_of(place / "vmlinux"), "a kernel");
    EXPECT_EQ(content_of(place / "initrd"), "another");
    EXPECT_EQ(unpack_refusal(odd_archive("./", AE_IFDIR)), "it was taken") << "tar -C FOLDER . begins with it";
}

TEST_F(BundleUnpackTest, NamesThatLeadElsewhereAreRefused)
{
    for (const auto* name : {"../vmlinux", "/etc/vmlinux", "a/../../vmlinux", "..", "./../x"}) {
        EXPECT_THAT(refusal_of({{name, "evil"}}), HasSubstr("leads out of the bundle")) << name;
    }
    for (const auto* name : {"a/vmlinux", ".lock", ".next", "firecracker.json", "1.12.1", "vm linux"}) {
        EXPECT_THAT(refusal_of({{name, "evil"}}), HasSubstr("is no name of a bundle's file")) << name;
    }
    EXPECT_TRUE(std::filesystem::is_empty(place));
    EXPECT_FALSE(std::filesystem::exists(folder.path / "a/vmlinux"));
}

TEST_F(BundleUnpackTest, LinksDevicesAndFoldersAreRefused)
{
    EXPECT_THAT(refusal_of({{"vmlinux", "", "/etc/passwd", ""}}), HasSubstr("\"vmlinux\" in it is a link"));
    EXPECT_THAT(refusal_of({{"initrd", "x"}, {"vmlinux", "", "", "initrd"}}), HasSubstr("\"vmlinux\" in it is a link"));
    for (const auto kind : {AE_IFCHR, AE_IFBLK, AE_IFIFO}) {
        EXPECT_THAT(unpack_refusal(odd_archive("vmlinux", kind)), HasSubstr("is a device or such"));
    }
    EXPECT_THAT(unpack_refusal(odd_archive("vmlinux", AE_IFDIR)), HasSubstr("is a folder, and not a file"));
}

TEST_F(BundleUnpackTest, TheSameNameTwiceIsRefused)
{
    EXPECT_THAT(refusal_of({{"vmlinux", "a"}, {"./vmlinux", "b"}}), HasSubstr("\"vmlinux\" in it is there twice"));
}

TEST_F(BundleUnpackTest, TooManyEntriesAreRefused)
{
    std::vector<Member> members;
    for (int i = 0; i < 70; ++i) {
        members.push_back({"a" + std::to_string(i), "x"});
    }
    EXPECT_THAT(refusal_of(members), HasSubstr("more than 64 entries"));
}

TEST_F(BundleUnpackTest, ABombIsRefused)
{
    limits.ratio_free = 1 * mib;
    const auto zeros = make_archive(Packing::Tgz, {{"vmlinux", std::string(std::size_t{8} << 20U, '\0')}});
    EXPECT_LT(zeros.size(), 20'000U);
    EXPECT_THAT(unpack_refusal(zeros), HasSubstr("it is a bomb"));
    std::filesystem::remove(place / "vmlinux");
    limits = {};
    limits.stream = 1 * mib;
    EXPECT_THAT(unpack_refusal(zeros), HasSubstr("it is a bomb"));
    std::filesystem::remove(place / "vmlinux");
    limits = {};
    limits.sizes = 1 * mib;
    EXPECT_THAT(unpack_refusal(zeros), HasSubstr("says that it is larger than a bundle can be"));
    limits = {};
    unpack_all(zeros);
    EXPECT_EQ(std::filesystem::file_size(place / "vmlinux"), std::size_t{8} << 20U);
    EXPECT_EQ(allocated_bytes(place / "vmlinux"), 0U) << "zeros become holes";
}

TEST_F(BundleUnpackTest, WhatIsSaidBeforeAFileIsBounded)
{
    // A pax header, which libarchive keeps in memory, as long as the whole limit.
    limits.header = 1 * mib;
    std::string out(std::size_t{16} << 20U, '\0');
    std::size_t used = 0;
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_pax(writer.get());
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), "vmlinux");
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_size(entry.get(), 0);
    const std::string value(std::size_t{4} << 20U, 'v');
    archive_entry_xattr_add_entry(entry.get(), "user.x", value.data(), value.size());
    archive_write_header(writer.get(), entry.get());
    archive_write_close(writer.get());
    out.resize(used);
    EXPECT_GT(out.size(), std::size_t{4} << 20U);
    const auto refused = unpack_refusal(out);
    EXPECT_TRUE(refused.find("before a file begins") != std::string::npos ||
                refused.find("can't be unpacked") != std::string::npos)
        << refused;
}

TEST_F(BundleUnpackTest, WhatIsDamagedOrCutOffIsRefused)
{
    const auto whole = make_archive(Packing::Tgz, {{"vmlinux", std::string(200'000, 'k') + "end"}});
    for (const auto size : {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 10}) {
        std::filesystem::remove(place / "vmlinux");
        EXPECT_THAT(unpack_refusal(whole.substr(0, size)), HasSubstr("damaged, cut off")) << size;
    }
    EXPECT_THAT(unpack_refusal("no archive at all"), HasSubstr("damaged, cut off"));
}

TEST_F(BundleUnpackTest, AnArchiveThatChangedSinceItWasCheckedIsRefused)
{
    sum = sha256_of("what was there before");
    EXPECT_THAT(refusal_of({{"vmlinux", "evil"}}), HasSubstr("and not " + sum->str()));
}

TEST_F(BundleUnpackTest, BytesBehindTheArchiveCountForTheSum)
{
    const auto archive = make_archive(Packing::Tgz, {{"vmlinux", "a kernel"}});
    sum = sha256_of(archive);
    EXPECT_THAT(unpack_refusal(archive + "more"), HasSubstr("and not " + sum->str()));
}

TEST_F(BundleUnpackTest, TheFolderHasWhatItsDescriptionNamesAndNothingElse)
{
    const test::BundleMaker maker{folder.path / "parts"};
    maker.make(folder.path / "bundle/");
    const auto bundle = folder.path / "bundle";
    std::filesystem::remove(bundle / ".lock");
    EXPECT_EQ(check_bundle_files(bundle).parts.size(), 8U);
    const auto problem = [&bundle] {
        try {
            check_bundle_files(bundle);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData);
            return std::string{error.what()};
        }
        return std::string{"it is whole"};
    };
    std::ofstream{bundle / "extra"} << "x";
    EXPECT_THAT(problem(), HasSubstr("\"extra\" in it is nothing that bundle.json names"));
    std::filesystem::remove(bundle / "extra");
    std::filesystem::resize_file(bundle / "vmlinux", 3);
    EXPECT_THAT(problem(), HasSubstr("vmlinux in it has 3 bytes, and 11 by bundle.json"));
    std::filesystem::remove(bundle / "vmlinux");
    EXPECT_THAT(problem(), HasSubstr("half a bundle: bundle.json names vmlinux, which isn't in it"));
    std::filesystem::remove(bundle / "bundle.json");
    EXPECT_THAT(problem(), HasSubstr("half a bundle: there is no bundle.json in it"));
}

TEST_F(BundleUnpackTest, AFullDiskIsSaid)
{
    const auto archive = make_archive(Packing::Tgz, {{"vmlinux", std::string(std::size_t{2} << 20U, 'k')}});
    const auto file = folder.path / "archive";
    std::ofstream{file, std::ios::binary} << archive;
    const auto code = test::on_small_disk(1'000'000, [&](const std::filesystem::path& disk) {
        const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
        try {
            unpack_bundle(fd.get(), sha256_of(archive), disk, no_progress());
        } catch (const Error& error) {
            return error.code() == ErrorCode::NoSpace ? 0 : 1;
        }
        return 2;
    });
    if (!code) {
        GTEST_SKIP() << "no user namespace for a small file system";
    }
    EXPECT_EQ(*code, 0);
}

}  // namespace
}  // namespace banger::agent
