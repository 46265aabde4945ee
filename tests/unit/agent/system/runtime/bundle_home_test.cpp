// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_home.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "agent/system/runtime/program_record.hpp"
#include "agent/system/runtime/runtime_folder.hpp"
#include "agent/system/runtime/runtime_lock.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"
#include "tests/unit/agent/system/runtime/bundle_maker.hpp"
#include "tests/unit/agent/system/runtime/http_server.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using test::BundleMaker;
using test::content_of;
using test::no_progress;
using ::testing::HasSubstr;

class BundleHomeTest : public ::testing::Test {
protected:
    BundleHomeTest()
    {
        for (const auto* variable : {"http_proxy", "all_proxy", "ALL_PROXY"}) {
            ::unsetenv(variable);  // of the machine that the test runs on
        }
        fs::create_directory(folder.path / "m");
    }

    /// A manifest in m/, whose [bundle] is at `url`.
    fs::path manifest(const std::string& url, const std::optional<Digest>& sum = std::nullopt) const
    {
        auto file = folder.path / "m/bundle.toml";
        std::ofstream{file} << "version = \"1\"\n[bundle]\nurl = \"" << url << "\"\nsha256 = \""
                            << (sum ? *sum : packed.sha256.value()).str() << "\"\n";
        return file;
    }
    Error failure(const fs::path& file)
    {
        try {
            home.fetch(file, no_progress());
        } catch (const Error& error) {
            EXPECT_FALSE(fs::exists(own / ".new")) << "leftovers";
            return error;
        }
        return Error{ErrorCode::Internal, "it was fetched"};
    }
    std::map<std::string, RuntimeState> states() const
    {
        std::map<std::string, RuntimeState> found;
        for (const auto& row : home.list()) {
            found[row.name] = row.state;
        }
        return found;
    }
    void expect_whole() const
    {
        ASSERT_EQ(states().size(), 8U);
        for (const auto& [name, state] : states()) {
            EXPECT_EQ(state, RuntimeState::Ok) << name;
        }
        EXPECT_EQ(content_of(own / "vmlinux"), "the vmlinux");
    }

    test::TemporaryFolder folder;
    fs::path own = folder.path / "own";
    fs::path installed = folder.path / "lib/banger";
    BundleMaker maker{folder.path / "parts"};
    fs::path archive = folder.path / "m/dist/b c.tar.gz";
    PackedBundle packed = maker.make(archive);
    BundleHome home{{.own = [this] { return own; },
                     .given = [this] { return std::vector{installed}; },
                     .stamps = folder.path / "stamps.json"}};
};

TEST_F(BundleHomeTest, ABundleIsFetchedFromEachKindOfUrl)
{
    test::HttpServer server;
    server.set_file("/b.tar.gz", content_of(archive));
    for (const auto& url : {std::string{"dist/b c.tar.gz"}, std::string{"./dist/b c.tar.gz"}, archive.string(),
                            "file://" + (folder.path / "m/dist/b%20c.tar.gz").string(), server.url("/b.tar.gz")}) {
        fs::remove_all(own);
        fs::remove(folder.path / "stamps.json");
        const auto outcome = home.fetch(manifest(url), no_progress());
        EXPECT_EQ(outcome.fetched.size(), 8U) << url;
        expect_whole();
        EXPECT_TRUE(home.fetch(manifest(url), no_progress()).fetched.empty()) << "it is there already";
        for (const auto* left : {".new", ".next", ".part", ".old.json"}) {
            EXPECT_FALSE(fs::exists(own / left)) << left;
        }
    }
    EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(BundleHomeTest, AWrongSumUnpacksNothingAndTouchesNothing)
{
    home.fetch(manifest(archive.string()), no_progress());
    std::ofstream{archive, std::ios::app} << "more";
    const auto other = test::sha256_of("another");
    const auto error = failure(manifest(archive.string(), other));
    EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    EXPECT_THAT(error.what(), HasSubstr(archive.string() + ": it has the sha256 "));
    EXPECT_THAT(error.what(), HasSubstr("and not " + other.str()));
    expect_whole();
}

TEST_F(BundleHomeTest, HalfABundleIsRefusedByNameAndTheOldOneStays)
{
    home.fetch(manifest(archive.string()), no_progress());
    const auto half = test::make_archive(
        test::Packing::Tgz, {{"bundle.json", content_of(own / "bundle.json")}, {"firecracker", "the firecracker"}});
    std::ofstream{folder.path / "m/half.tar.gz", std::ios::binary} << half;
    const auto error = failure(manifest("half.tar.gz", test::sha256_of(half)));
    EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    EXPECT_THAT(error.what(), HasSubstr("half a bundle: bundle.json names "));
    expect_whole();
}

TEST_F(BundleHomeTest, APartThatIsNotWhatItsDescriptionSaysIsRefused)
{
    home.fetch(manifest(archive.string()), no_progress());
    std::vector<test::Member> members{{"bundle.json", content_of(own / "bundle.json")}};
    for (const auto& row : home.list()) {
        const auto file = row.path.filename().string();
        members.push_back({file, file == "vmlinux" ? "THE VMLINUX" : content_of(row.path)});
    }
    const auto evil = test::make_archive(test::Packing::Tgz, members);
    std::ofstream{folder.path / "m/evil.tar.gz", std::ios::binary} << evil;
    EXPECT_THAT(failure(manifest("evil.tar.gz", test::sha256_of(evil))).what(),
                HasSubstr("vmlinux in it has the digest "));
    expect_whole();
}

TEST_F(BundleHomeTest, WhatIsNoManifestOrNoArchiveIsNamed)
{
    std::ofstream{folder.path / "m/none.toml"} << "version = \"1\"\n[bundle]\nurl = \"\"\nsha256 = \"\"\n"
                                               << "[[program]]\nname = \"firecracker\"\nversion = \"1\"\n"
                                               << "architecture = \"x86_64\"\nsha256 = \"" << std::string(64, 'a')
                                               << "\"\n[[program.source]]\nurl = \"https://e.org/x\"\nmember = \"x\"\n";
    const auto none = failure(folder.path / "m/none.toml");
    EXPECT_EQ(none.code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(none.what(), HasSubstr("names no bundle"));
    EXPECT_EQ(failure(folder.path / "no-such.toml").code(), ErrorCode::NotFound);
    EXPECT_EQ(failure(manifest("no-such.tar.gz")).code(), ErrorCode::NotFound);
    EXPECT_THAT(failure(manifest("/dev/null")).what(), HasSubstr("it is no regular file"));
    EXPECT_THAT(failure(manifest((folder.path / "m").string())).what(), HasSubstr("it is no regular file"));
    EXPECT_EQ(failure(manifest("http://127.0.0.1:1/b")).code(), ErrorCode::Failed);
}

TEST_F(BundleHomeTest, VerifySeesWhatAListDoesNot)
{
    home.fetch(manifest(archive.string()), no_progress());
    const auto kernel = own / "vmlinux";
    struct stat before {};
    ASSERT_EQ(::stat(kernel.c_str(), &before), 0);
    std::ofstream{kernel} << "THE VMLINUX";
    const std::array<timespec, 2> times{before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, kernel.c_str(), times.data(), 0), 0);
    EXPECT_EQ(states()["kernel"], RuntimeState::Ok) << "size, time and inode are the same";
    for (const auto& row : home.verify({})) {
        EXPECT_EQ(row.state, row.name == "kernel" ? RuntimeState::Damaged : RuntimeState::Ok) << row.name;
    }
    EXPECT_EQ(states()["kernel"], RuntimeState::Unchecked) << "it isn't believed again";
    fs::remove(own / "initrd");
    EXPECT_EQ(states()["initrd"], RuntimeState::Missing);
    fs::resize_file(own / "modules.ext4", 5);
    EXPECT_EQ(states()["modules"], RuntimeState::Damaged);
    EXPECT_EQ(home.fetch(manifest(archive.string()), no_progress()).fetched.size(), 8U) << "and is mended by a fetch";
    expect_whole();
}

TEST_F(BundleHomeTest, AnInstalledBundleIsReadOnceAndTheUsersOwnGoesBefore)
{
    EXPECT_FALSE(home.find());
    EXPECT_TRUE(home.list().empty());
    maker.make(installed / "");
    ASSERT_TRUE(home.find());
    EXPECT_EQ(home.find()->folder, installed);
    EXPECT_EQ(states()["firecracker"], RuntimeState::Unchecked);
    EXPECT_EQ(home.file_of("firecracker", {}), installed / "firecracker");
    EXPECT_EQ(states()["firecracker"], RuntimeState::Ok) << "it was read when it was asked for";
    home.fetch(manifest(archive.string()), no_progress());
    EXPECT_EQ(home.find()->folder, own);
    EXPECT_EQ(home.find()->origin, archive.string());
}

TEST_F(BundleHomeTest, WhatOthersMayWriteIsNotUsed)
{
    maker.make(installed / "");
    ASSERT_EQ(::chmod((installed / "bundle.json").c_str(), 0666), 0);
    EXPECT_THROW(home.find(), Error);
    ASSERT_EQ(::chmod((installed / "bundle.json").c_str(), 0644), 0);
    ASSERT_EQ(::chmod((installed / "firecracker").c_str(), 0777), 0);
    try {
        home.file_of("firecracker", {});
        FAIL() << "it was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotAuthorized);
        EXPECT_THAT(error.what(), HasSubstr("chmod go-w"));
    }
}

TEST_F(BundleHomeTest, ABrokenDescriptionIsToldWithItsFile)
{
    fs::create_directories(own);
    std::ofstream{own / "bundle.json"} << "{}";
    try {
        home.list();
        FAIL() << "it was taken";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr((own / "bundle.json").string() + ": \"format\" is missing"));
    }
}

TEST_F(BundleHomeTest, WhatAKilledFetchLeftIsClearedUp)
{
    home.fetch(manifest(archive.string()), no_progress());
    fs::create_directories(own / ".new");
    std::ofstream{own / ".new/half"} << "x";
    maker.write("vmlinux", "a newer kernel");
    maker.make(folder.path / "draft/");
    fs::remove(folder.path / "draft/.lock");
    fs::rename(folder.path / "draft", own / ".next");
    home.recover();
    EXPECT_FALSE(fs::exists(own / ".new"));
    EXPECT_FALSE(fs::exists(own / ".next"));
    EXPECT_EQ(content_of(own / "vmlinux"), "a newer kernel");
}

TEST_F(BundleHomeTest, AFolderThatNothingWasFetchedIntoIsNotClearedUp)
{
    fs::create_directories(own / ".next/server");
    fs::create_directories(own / ".new");
    home.recover();
    EXPECT_TRUE(fs::exists(own / ".next/server")) << "runtime_dir may be anybody's folder";
    EXPECT_TRUE(fs::exists(own / ".new"));
    EXPECT_FALSE(fs::exists(own / ".lock"));
}

TEST_F(BundleHomeTest, TwoFetchesAtOnceAreNotPossible)
{
    fs::create_directories(own);
    ::chmod(own.c_str(), 0700);
    {
        const RuntimeLock held{own};
        EXPECT_EQ(failure(manifest(archive.string())).code(), ErrorCode::InUse);
        fs::create_directories(own / ".new");
        home.recover();
        EXPECT_TRUE(fs::exists(own / ".new")) << "a running fetch's";
        fs::remove(own / ".new");
        const pid_t child = ::fork();  // another process
        if (child == 0) {
            bool refused = false;
            try {
                const RuntimeLock other{own / "."};
            } catch (const Error& error) {
                refused = error.code() == ErrorCode::InUse;
            }
            ::_exit(refused ? 0 : 1);
        }
        int status = 1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    home.fetch(manifest(archive.string()), no_progress());
    expect_whole();
}

TEST_F(BundleHomeTest, OnlyADockerImageIsWhatBuildsStartFrom)
{
    EXPECT_FALSE(home.image_base({}));
    auto recipe = maker.recipe(own / "");
    BundleHome packer{{.own = [] { return fs::path{"/nonexistent"}; },
                       .given = [] { return std::vector<fs::path>{}; },
                       .stamps = folder.path / "other.json"}};
    packer.package(recipe, no_progress());
    EXPECT_FALSE(home.image_base({})) << "its rootfs is the image";
    recipe.ingredients[6].part = bundle_part::rootfs_docker;
    packer.package(recipe, no_progress());
    EXPECT_EQ(home.image_base({}), own / "rootfs-docker.ext4");
    std::ofstream{own / "rootfs-docker.ext4"} << "evil";
    EXPECT_THROW(home.image_base({}), Error);
}

TEST_F(BundleHomeTest, ProgramsAreThoseOfTheBundleAndThenTheManifests)
{
    RuntimeBundle pinned{
        .version = "1.0",
        .programs = {{.name = "firecracker", .version = "1.0", .sha256 = test::sha256_of("x"), .sources = {}},
                     {.name = "jailer", .version = "1.0", .sha256 = test::sha256_of("x"), .sources = {}}}};
    RuntimeFolder programs{[this] { return own; }, [&pinned] { return pinned; }, &home};
    EXPECT_EQ(programs.list().size(), 2U);
    pinned.archive = BundleSource{archive.string(), packed.sha256.value()};
    EXPECT_EQ(programs.fetch({}, no_progress()).fetched.size(), 8U) << "a manifest's bundle is what is fetched";
    EXPECT_EQ(programs.find("firecracker"), own / "firecracker");
    EXPECT_EQ(programs.list().size(), 8U);
    pinned.archive.reset();
    EXPECT_TRUE(programs.fetch({}, no_progress()).fetched.empty()) << "a bundle's Firecracker needs no network";
    std::ofstream{own / "firecracker"} << "evil";
    try {
        programs.find("firecracker");
        FAIL() << "it was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        EXPECT_THAT(error.what(), HasSubstr((own / "firecracker").string()));
    }
}

}  // namespace
}  // namespace banger::agent
