// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/resumed_download.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"
#include "tests/unit/agent/system/runtime/http_server.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

using test::HttpServer;
using test::sha256_of;
using ::testing::HasSubstr;
using ::testing::Not;

class ResumedDownloadTest : public ::testing::Test {
protected:
    ResumedDownloadTest()
    {
        for (const auto* variable : {"http_proxy", "all_proxy", "ALL_PROXY"}) {
            ::unsetenv(variable);  // of the machine that the test runs on
        }
        for (std::size_t i = 0; i < content.size(); ++i) {
            content[i] = static_cast<char>('a' + i % 23);
        }
        sum = sha256_of(content);
    }
    HttpServer::Reply all(const std::string& tag = "\"one\"") const
    {
        return {.head = "HTTP/1.1 200 OK\r\nETag: " + tag + "\r\nContent-Length: " + std::to_string(content.size()),
                .body = content};
    }
    /// The connection breaks after `size` bytes.
    HttpServer::Reply broken(std::size_t size, const std::string& tag = "\"one\"") const
    {
        auto reply = all(tag);
        reply.body.resize(size);
        return reply;
    }
    HttpServer::Reply rest(std::size_t begin, const std::string& tag = "\"one\"") const
    {
        const auto last = std::to_string(content.size() - 1);
        return {.head = "HTTP/1.1 206 Partial Content\r\nETag: " + tag +
                        "\r\nContent-Length: " + std::to_string(content.size() - begin) + "\r\nContent-Range: bytes " +
                        std::to_string(begin) + "-" + last + "/" + std::to_string(content.size()),
                .body = content.substr(begin)};
    }
    std::string fetched()
    {
        const RuntimeProgress progress{.stage = [](const std::string&) {},
                                       .fraction = [this](double f) { fraction = f; },
                                       .stop = stop.get_token()};
        const auto file = resumed_download(server.url("/b"), sum, folder.path, progress, limits);
        std::ifstream stream{file, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    Error failure()
    {
        try {
            fetched();
        } catch (const Error& error) {
            return error;
        }
        return Error{ErrorCode::Internal, "it was fetched"};
    }
    std::uint64_t kept() const
    {
        std::error_code none;
        const auto size = std::filesystem::file_size(folder.path / sum.str(), none);
        return none ? 0 : size;
    }

    std::string content = std::string(300'000, ' ');
    Digest sum = sha256_of("");
    test::TemporaryFolder folder;
    DownloadLimits limits{};
    std::stop_source stop;
    double fraction{0};
    HttpServer server;
};

TEST_F(ResumedDownloadTest, AConnectionThatBreaksIsGoneOnWith)
{
    server.set_sequence("/b", {broken(100'000), rest(100'000)});
    EXPECT_EQ(fetched(), content);
    ASSERT_EQ(server.heads().size(), 2U);
    EXPECT_THAT(server.heads()[1], HasSubstr("Range: bytes=100000-"));
    EXPECT_THAT(server.heads()[1], HasSubstr("If-Range: \"one\""));
    EXPECT_GT(fraction, 0.9);
}

TEST_F(ResumedDownloadTest, TheNextFetchGoesOnWhereTheLastOneGaveUp)
{
    server.set_sequence("/b", {broken(100'000), {.head = "HTTP/1.1 503 Busy", .body = ""}});
    const auto error = failure();
    EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    EXPECT_THAT(error.what(), HasSubstr("of it are here, and banger runtime fetch goes on from there"));
    EXPECT_EQ(kept(), 100'000U);
    server.set("/b", rest(100'000));
    EXPECT_EQ(fetched(), content);
}

TEST_F(ResumedDownloadTest, AServerThatKnowsNoRangesSendsAllAnew)
{
    server.set_sequence("/b", {broken(100'000), all()});
    EXPECT_EQ(fetched(), content);
}

TEST_F(ResumedDownloadTest, AnotherFileThereIsFetchedAnew)
{
    // The server has no If-Range: it gives the rest of another file, whose beginning is here.
    auto old = broken(100'000);
    old.body.assign(100'000, 'x');
    server.set_sequence("/b", {old, {.head = "HTTP/1.1 503 Busy", .body = ""}});
    failure();
    server.set_sequence("/b", {rest(100'000, "\"two\""), all("\"two\"")});
    EXPECT_EQ(fetched(), content);
}

TEST_F(ResumedDownloadTest, AnotherRangeThanAskedForIsNotTaken)
{
    server.set_sequence("/b", {broken(100'000), rest(50'000), all()});
    EXPECT_EQ(fetched(), content);
    EXPECT_EQ(server.asked().size(), 3U);
}

TEST_F(ResumedDownloadTest, AFileThatBecameShorterIsFetchedAnew)
{
    server.set_sequence("/b", {broken(100'000), {.head = "HTTP/1.1 416 Range Not Satisfiable", .body = ""}, all()});
    EXPECT_EQ(fetched(), content);
}

TEST_F(ResumedDownloadTest, AWrongSumLeavesNothingAndIsSaidWithBoth)
{
    server.set_file("/b", "evil");
    const auto error = failure();
    EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    EXPECT_THAT(error.what(), HasSubstr(sum.str()));
    EXPECT_THAT(error.what(), HasSubstr(sha256_of("evil").str()));
    EXPECT_TRUE(std::filesystem::is_empty(folder.path));
}

TEST_F(ResumedDownloadTest, AServerThatBreaksForEverIsLeft)
{
    // Each try brings it a byte further, or back.
    auto reply = rest(1);
    reply.body.resize(1);
    server.set_sequence("/b", {broken(1), reply, reply, reply, reply, reply, reply});
    EXPECT_EQ(failure().code(), ErrorCode::Unavailable);
    EXPECT_LE(server.asked().size(), 5U);
}

TEST_F(ResumedDownloadTest, ALyingLengthIsNoWholeFile)
{
    auto shorter = all();
    shorter.head = "HTTP/1.1 200 OK\r\nContent-Length: 10";
    server.set("/b", shorter);
    EXPECT_EQ(failure().code(), ErrorCode::CorruptData);
    auto longer = all();
    longer.head = "HTTP/1.1 200 OK\r\nContent-Length: 900000";
    server.set("/b", longer);
    EXPECT_EQ(failure().code(), ErrorCode::Unavailable);
    std::filesystem::remove(folder.path / sum.str());
    limits.size = 1000 * ByteSize{1};
    server.set("/b", all());
    EXPECT_EQ(failure().code(), ErrorCode::CorruptData);
    server.set("/b", {.head = "HTTP/1.1 200 OK", .body = content});
    EXPECT_EQ(failure().code(), ErrorCode::CorruptData);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path));
}

TEST_F(ResumedDownloadTest, ACircleOfRedirectsEnds)
{
    server.set("/b", {.head = "HTTP/1.1 302 Found\r\nLocation: /b", .body = ""});
    EXPECT_THAT(failure().what(), HasSubstr("redirects"));
}

TEST_F(ResumedDownloadTest, AServerThatFallsSilentIsLeftAndItsPartKept)
{
    limits.stall = std::chrono::seconds{1};
    auto slow = broken(100'000);
    slow.stalls_then = true;
    server.set("/b", slow);
    EXPECT_EQ(failure().code(), ErrorCode::Unavailable);
    EXPECT_EQ(kept(), 100'000U);
}

TEST_F(ResumedDownloadTest, ACancelKeepsThePart)
{
    auto slow = broken(100'000);
    slow.stalls_then = true;
    server.set("/b", slow);
    server.on_stall([this] { stop.request_stop(); });
    EXPECT_EQ(failure().code(), ErrorCode::Cancelled);
    stop = {};
    server.set_sequence("/b", {kept() > 0 ? rest(kept()) : all()});
    EXPECT_EQ(fetched(), content);
}

TEST_F(ResumedDownloadTest, WhatIsWholeIsNotAskedForAgainAndOtherArchivesGo)
{
    server.set("/b", all());
    fetched();
    std::ofstream{folder.path / std::string(64, 'f')} << "of an older manifest";
    EXPECT_EQ(fetched(), content);
    EXPECT_EQ(server.asked().size(), 1U);
    EXPECT_FALSE(std::filesystem::exists(folder.path / std::string(64, 'f')));
}

TEST_F(ResumedDownloadTest, APartOfAnotherUrlIsNotGoneOnWith)
{
    std::ofstream{folder.path / sum.str()} << "something";
    std::ofstream{folder.path / (sum.str() + ".json")} << R"({"url": "http://elsewhere/", "validator": ""})";
    server.set("/b", all());
    EXPECT_EQ(fetched(), content);
    EXPECT_THAT(server.heads().front(), Not(HasSubstr("Range:")));
}

TEST_F(ResumedDownloadTest, AFullDiskIsGivenItsRoomBack)
{
    content.resize(3'000'000, 'x');
    sum = sha256_of(content);
    server.set("/b", all());
    const auto code = test::on_small_disk(1'000'000, [this](const std::filesystem::path& disk) {
        try {
            resumed_download(server.url("/b"), sum, disk,
                             {.stage = [](const std::string&) {}, .fraction = [](double) {}, .stop = {}});
        } catch (const Error& error) {
            return error.code() == ErrorCode::NoSpace && std::filesystem::is_empty(disk) ? 0 : 1;
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
