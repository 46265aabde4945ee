// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/names_files.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::nss {
namespace {

const std::string head{"# banger names 1\n"};
const std::string web{head + "10.77.0.2 web.vm\n"};

class NamesFilesTest : public ::testing::Test {
protected:
    NamesFilesTest() { std::filesystem::create_directories(names); }

    void write(const std::string& text, const std::string& name = "bangerd", mode_t mode = 0600)
    {
        std::ofstream{names / name} << text;
        ::chmod((names / name).c_str(), mode);
    }
    LookUp ask(const std::string& name) const { return look_up({run.c_str(), user}, {.name = name}); }
    bool finds(const std::string& name = "web.vm") const { return ask(name).finding == Finding::Found; }

    agent::test::TemporaryFolder folder;
    std::string run{folder.path.string()};
    uid_t user{::geteuid()};
    std::filesystem::path names{folder.path / std::to_string(user) / "banger/names"};
};

std::size_t open_descriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        ++count;
    }
    return count;
}

TEST_F(NamesFilesTest, AnAddressIsFoundByNameAndANameByAddress)
{
    write(web);
    const auto found = ask("web.vm");
    ASSERT_EQ(found.finding, Finding::Found);
    EXPECT_EQ(found.entry.address, htonl(0x0a4d0002));
    const auto back = look_up({run.c_str(), user}, {.name = "", .address = found.entry.address});
    ASSERT_EQ(back.finding, Finding::Found);
    EXPECT_EQ(back.entry.name.text(), "web.vm");
    EXPECT_EQ(ask("other.vm").finding, Finding::Absent);
}

TEST_F(NamesFilesTest, WithoutAFileOrAFolderThereIsNothing)
{
    EXPECT_EQ(ask("web.vm").finding, Finding::Absent);
    std::filesystem::remove_all(folder.path / std::to_string(user));
    EXPECT_EQ(ask("web.vm").finding, Finding::Absent);
    EXPECT_EQ(look_up({"/proc/self/exe", user}, {.name = "web.vm"}).finding, Finding::Absent);
    EXPECT_EQ(look_up({std::string(400, '/').c_str(), user}, {.name = "web.vm"}).finding, Finding::Absent);
}

TEST_F(NamesFilesTest, EachUserHasHisOwn)
{
    write(web);
    const auto other = folder.path / std::to_string(user + 1) / "banger/names";
    std::filesystem::create_directories(other);
    EXPECT_EQ(look_up({run.c_str(), user + 1}, {.name = "web.vm"}).finding, Finding::Absent);
    std::ofstream{other / "bangerd"} << web;
    EXPECT_EQ(look_up({run.c_str(), user + 1}, {.name = "web.vm"}).finding, Finding::Absent)
        << "a folder and a file of another user's are not believed";
}

TEST_F(NamesFilesTest, WhatOthersMayWriteIsNotBelieved)
{
    for (const mode_t mode : {0620U, 0602U, 0666U}) {
        write(web, "bangerd", mode);
        EXPECT_FALSE(finds()) << std::oct << mode;
    }
    write(web, "bangerd", 0644);
    EXPECT_TRUE(finds());
    for (const mode_t mode : {0770U, 0707U}) {
        ::chmod(names.c_str(), mode);
        EXPECT_FALSE(finds()) << std::oct << mode;
    }
}

TEST_F(NamesFilesTest, OnlyARegularFileIsRead)
{
    const auto file = names / "bangerd";
    write(web, "real");
    ::symlink("real", file.c_str());
    EXPECT_FALSE(finds()) << "a symlink";
    std::filesystem::remove(file);
    ::mkfifo(file.c_str(), 0600);
    EXPECT_FALSE(finds()) << "a pipe, which nobody writes";
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
    EXPECT_FALSE(finds());
    std::filesystem::remove(file);
    const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, file.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(ask("web.vm").finding, Finding::Absent);
    std::filesystem::remove(file);
    const auto aside = folder.path / "aside";
    std::filesystem::rename(names, aside);
    std::filesystem::create_directory_symlink(aside, names);
    write(web);
    EXPECT_FALSE(finds()) << "a folder that is a symlink";
}

TEST_F(NamesFilesTest, AFileThatIsTooLongIsNotRead)
{
    std::string text = head;
    while (text.size() + 20 < static_cast<std::size_t>(file_limit)) {
        text += "10.77.0.2 web.vm\n";
    }
    write(text);
    EXPECT_TRUE(finds());
    EXPECT_FALSE(finds("no.vm"));
    write(text + text.substr(head.size()));
    EXPECT_FALSE(finds());
}

TEST_F(NamesFilesTest, GarbageIsNothing)
{
    for (const std::string& text : {std::string{}, std::string(100'000, '\0'), std::string(100'000, '\n'),
                                    std::string(100'000, '\377'), web + "x", web.substr(0, web.size() - 1),
                                    std::string{"10.77.0.2 web.vm\n"}, std::string{"127.0.0.1 web.vm localhost\n"}}) {
        write(text);
        EXPECT_FALSE(finds());
    }
}

TEST_F(NamesFilesTest, BangerdsWithAStateFolderOfTheirOwnAreAskedBehindTheUsualOne)
{
    write(head + "10.77.0.6 db.vm\n10.77.0.10 web.vm\n", "bangerd-0123abcd");
    EXPECT_EQ(ask("web.vm").entry.address, htonl(0x0a4d000a));
    write(web);
    EXPECT_EQ(ask("web.vm").entry.address, htonl(0x0a4d0002));
    EXPECT_TRUE(finds("db.vm"));
    write(head + "10.77.0.14 third.vm\n", "bangerd-89abcdef");
    write("garbage", "bangerd-00000000");
    EXPECT_TRUE(finds("third.vm"));
    for (const auto* name : {"bangerd.new", "bangerd-0123abcd.new", "bangerd-0123ABCD", "bangerd-0123abc", "other",
                             "bangerd-0123abcde", "bangerd-"}) {
        write(head + "10.77.0.18 fourth.vm\n", name);
    }
    EXPECT_FALSE(finds("fourth.vm"));
}

TEST_F(NamesFilesTest, NoMoreThanSomeFilesAreRead)
{
    constexpr int far_too_many = 300;
    for (int i = 0; i < far_too_many; ++i) {
        const auto digits = std::to_string(i);
        write(head, "bangerd-" + std::string(8 - digits.size(), '0') + digits);
    }
    EXPECT_EQ(ask("web.vm").finding, Finding::Absent);
}

TEST_F(NamesFilesTest, ErrnoIsKeptAndNothingStaysOpen)
{
    write("garbage");
    write(web, "bangerd-0123abcd");
    const auto before = open_descriptors();
    for (const auto* name : {"web.vm", "other.vm"}) {
        errno = EXDEV;
        ask(name);
        EXPECT_EQ(errno, EXDEV);
    }
    std::filesystem::remove_all(names);
    errno = EXDEV;
    ask("web.vm");
    EXPECT_EQ(errno, EXDEV);
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(NamesFilesTest, AProcessWithoutDescriptorsLeftDoesNotKnow)
{
    write(web);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto answer = ask("web.vm");
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(answer.finding, Finding::Unreadable);
    EXPECT_EQ(answer.error, EMFILE);
}

TEST_F(NamesFilesTest, ManyThreadsAskWhileTheFileIsReplaced)
{
    write(web);
    constexpr int askers = 8;
    constexpr int rounds = 500;
    std::atomic<int> missed{0};
    std::atomic<bool> over{false};
    std::thread writer{[&] {
        while (!over) {
            write(web, "fresh");
            std::filesystem::rename(names / "fresh", names / "bangerd");
        }
    }};
    std::vector<std::thread> threads;
    for (int i = 0; i < askers; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                missed += finds() ? 0 : 1;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    over = true;
    writer.join();
    EXPECT_EQ(missed, 0);
}

/// glibc's own look-up may not come to an end in such a child, as it has locks; this has none.
TEST_F(NamesFilesTest, AChildThatIsForkedWhileThreadsAskFindsIt)
{
    write(web);
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    constexpr int askers = 3;
    for (int i = 0; i < askers; ++i) {
        threads.emplace_back([&] {
            while (!over) {
                finds();
            }
        });
    }
    constexpr int children = 50;
    for (int i = 0; i < children; ++i) {
        const auto child = ::fork();
        if (child == 0) {
            const auto found = look_up({run.c_str(), user}, {.name = "web.vm"});
            ::_exit(found.finding == Finding::Found ? 0 : 1);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    over = true;
    for (auto& thread : threads) {
        thread.join();
    }
}

TEST_F(NamesFilesTest, AThreadThatIsCancelledLeavesNothingOpen)
{
    write(web);
    const auto before = open_descriptors();
    struct Shared {
        Place place;
        std::atomic<int> turns{0};
    } shared{{run.c_str(), user}};
    for (int i = 0; i < 50; ++i) {
        shared.turns = 0;
        pthread_t thread{};
        ASSERT_EQ(::pthread_create(
                      &thread, nullptr,
                      [](void* data) -> void* {
                          auto& of = *static_cast<Shared*>(data);
                          for (;;) {
                              look_up(of.place, {.name = "web.vm"});
                              ++of.turns;
                              ::pthread_testcancel();
                          }
                      },
                      &shared),
                  0);
        while (shared.turns == 0) {
            std::this_thread::yield();
        }
        ::pthread_cancel(thread);
        ::pthread_join(thread, nullptr);
    }
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace banger::nss
