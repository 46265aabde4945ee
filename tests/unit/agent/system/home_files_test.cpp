// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/home_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "agent/system/unix_socket.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HomeFilesTest : public ::testing::Test {
protected:
    HomeFilesTest() { fs::create_directory(home); }

    void write(const fs::path& path, const std::string& text, mode_t mode = 0644) const
    {
        fs::create_directories((home / path).parent_path());
        std::ofstream{home / path} << text;
        ::chmod((home / path).c_str(), mode);
    }
    /// "PLACE MODE CONTENT" of each.
    std::vector<std::string> read(const std::vector<FileSync>& syncs)
    {
        auto found = files.read(syncs);
        remarks = found.remarks;
        std::vector<std::string> all;
        for (const auto& file : found.files) {
            std::array<char, 12> mode{};
            std::snprintf(mode.data(), mode.size(), "%o", file.mode);
            all.push_back(file.to.string() + " " + mode.data() + " " + file.content);
        }
        return all;
    }
    std::string refusal_of(const fs::path& from)
    {
        try {
            files.read({{.from = from, .to = "/root/x"}});
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << error.what();
            return error.what();
        }
        return "it was taken";
    }

    test::TemporaryFolder folder;
    fs::path home{folder.path / "home"};
    FilesOfHome files{home};
    std::vector<std::string> remarks;
};

TEST_F(HomeFilesTest, AFileGoesWithItsModeOrTheOneAskedFor)
{
    write(".gitconfig", "me", 0640);
    EXPECT_THAT(read({{".gitconfig", "/root/.gitconfig"}, {".gitconfig", "/etc/x", 0600}}),
                ElementsAre("/root/.gitconfig 640 me", "/etc/x 600 me"));
    EXPECT_THAT(remarks, IsEmpty());
}

TEST_F(HomeFilesTest, OfAFolderAllFilesGo)
{
    write("app/b", "2");
    write("app/deep/er/a", "1", 0755);
    ::mkfifo((home / "app/pipe").c_str(), 0600);
    const auto socket = listen_in(home / "app", "socket");  // as ssh's ControlMaster has one in ~/.ssh
    EXPECT_THAT(read({{"app", "/opt/app"}}), ElementsAre("/opt/app/b 644 2", "/opt/app/deep/er/a 755 1"));
}

TEST_F(HomeFilesTest, WhatIsNotThereIsARemark)
{
    EXPECT_THAT(read({{".none", "/root/.none"}, {"no/such", "/root/x"}}), IsEmpty());
    EXPECT_THAT(remarks, ElementsAre("file_sync: ~/.none is not there", "file_sync: ~/no/such is not there"));
}

TEST_F(HomeFilesTest, LinksAreFollowedWithinTheHomeAlone)
{
    write("dotfiles/vimrc", "set");
    fs::create_symlink("dotfiles/vimrc", home / ".vimrc");
    fs::create_symlink(home / "dotfiles/vimrc", home / ".absolute");
    EXPECT_THAT(read({{".vimrc", "/root/.vimrc"}, {".absolute", "/root/a"}}),
                ElementsAre("/root/.vimrc 644 set", "/root/a 644 set"));
    std::ofstream{folder.path / "secret"} << "secret";
    fs::create_symlink("../secret", home / "out");
    fs::create_symlink("/etc", home / "etc");
    fs::create_symlink(".", home / "self");
    fs::create_symlink("..", home / "above");
    for (const auto* from : {"out", "etc/passwd", "above", "above/secret", "self"}) {
        EXPECT_THAT(refusal_of(from), HasSubstr("leads out of your home")) << from;
    }
    EXPECT_THAT(refusal_of("self/out"), HasSubstr("leads out of your home"));
    fs::create_directory(home / "tree");
    fs::create_symlink("../../secret", home / "tree/out");
    EXPECT_THAT(refusal_of("tree"), HasSubstr("~/tree/out is a link that leads out"));
}

TEST_F(HomeFilesTest, ALinkThatLeadsBackEnds)
{
    fs::create_directory(home / "tree");
    fs::create_symlink(".", home / "tree/again");
    EXPECT_THAT(refusal_of("tree"), HasSubstr("nested too deep, or a link leads back"));
    fs::create_symlink("loop", home / "loop");
    EXPECT_THAT(refusal_of("loop"), HasSubstr("~/loop"));
}

TEST_F(HomeFilesTest, TooMuchIsRefusedWithTheFileThatWasTooMuch)
{
    write("a", "");
    write("b", "");
    fs::resize_file(home / "a", std::uintmax_t{60} << 20U);
    fs::resize_file(home / "b", std::uintmax_t{5} << 20U);
    EXPECT_EQ(files.read({{"a", "/root/a"}}).files.size(), 1U);
    try {
        files.read({{"a", "/root/a"}, {"b", "/root/b"}});
        ADD_FAILURE() << "it was taken";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("~/b: with it the files come to more than 64 MiB"));
    }
}

TEST_F(HomeFilesTest, WhatIsNoFileIsRefusedAndNotWaitedFor)
{
    ::mkfifo((home / "pipe").c_str(), 0600);
    const auto listener = listen_in(home, "socket");
    for (const auto* from : {"pipe", "socket"}) {
        EXPECT_THAT(refusal_of(from), HasSubstr("neither a file nor a folder")) << from;
    }
}

/// What `tar -tv` would say is checked by tests/host; here the bytes' way and the guest's last word.
TEST_F(HomeFilesTest, TheGuestsLastWordDecides)
{
    const auto send = [this](const std::string& word) {
        auto stream = make_socket_pair(SOCK_STREAM);
        auto control = make_socket_pair(SOCK_SEQPACKET);
        std::string archive;
        std::jthread guest{[&] {
            std::array<char, 4096> block{};
            ssize_t got = 0;
            while ((got = ::recv(stream.theirs.get(), block.data(), block.size(), 0)) > 0) {
                archive.append(block.data(), static_cast<std::size_t>(got));
            }
            ::send(control.theirs.get(), word.data(), word.size(), MSG_NOSIGNAL);
            control.theirs.reset();
        }};
        const auto blocking = [](UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, 0); };
        blocking(stream.ours);
        blocking(control.ours);
        try {
            files.send({std::move(stream.ours), std::move(control.ours)}, {{"/root/.a", 0600, 7, "content"}});
        } catch (const Error& error) {
            return std::string{error.what()};
        }
        guest.join();
        return archive.find("content") != std::string::npos ? std::string{"it went"} : std::string{"it got lost"};
    };
    EXPECT_EQ(send(R"({"exit": 0})"), "it went");
    EXPECT_THAT(send(R"({"error": "x", "message": "disk full"})"), HasSubstr("file_sync: disk full"));
    EXPECT_THAT(send("garbage"), HasSubstr("file_sync: no answer"));
    EXPECT_THAT(send(""), HasSubstr("does not answer"));
}

TEST_F(HomeFilesTest, AGuestThatTakesALittleNowAndThenIsLate)
{
    const FilesOfHome hurried{home, {std::chrono::milliseconds{100}, std::uintmax_t{100} << 20U}};
    auto stream = make_socket_pair(SOCK_STREAM);
    auto control = make_socket_pair(SOCK_SEQPACKET);
    ::fcntl(stream.ours.get(), F_SETFL, 0);
    std::jthread guest{[&](const std::stop_token& stop) {
        std::array<char, 512> block{};
        while (!stop.stop_requested() && ::recv(stream.theirs.get(), block.data(), block.size(), 0) > 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
    }};
    try {
        hurried.send({std::move(stream.ours), std::move(control.ours)},
                     {{"/root/.a", 0600, 7, std::string(std::size_t{4} << 20U, 'x')}});
        ADD_FAILURE() << "it went";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::TimedOut);
        EXPECT_THAT(error.what(), HasSubstr("takes no more"));
    }
}

}  // namespace
}  // namespace banger::agent
