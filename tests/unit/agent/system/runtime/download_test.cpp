// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/download.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/http_server.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

class DownloadTest : public ::testing::Test {
protected:
    DownloadTest()
    {
        for (const auto* variable : {"http_proxy", "all_proxy", "ALL_PROXY"}) {
            ::unsetenv(variable);  // of the machine that the test runs on
        }
    }
    ~DownloadTest() override { ::unsetenv("http_proxy"); }
    std::string fetched(const std::string& url, UrlSchemes schemes = UrlSchemes::Any)
    {
        const RuntimeProgress progress{.stage = [](const std::string&) {},
                                       .fraction = [this](double f) { fraction = f; },
                                       .stop = stop.get_token()};
        download(url, schemes, file, progress, limits);
        std::ifstream stream{file, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    /// What it failed with; there is no file after it.
    Error failure(const std::string& url, UrlSchemes schemes = UrlSchemes::Any)
    {
        try {
            fetched(url, schemes);
        } catch (const Error& error) {
            EXPECT_FALSE(std::filesystem::exists(file)) << "half a file stayed";
            return error;
        }
        return Error{ErrorCode::Internal, "it was fetched"};
    }

    test::TemporaryFolder folder;
    std::filesystem::path file = folder.path / "fetched";
    DownloadLimits limits{};
    std::stop_source stop;
    double fraction{0};
    test::HttpServer server;
};

TEST_F(DownloadTest, AFileIsFetchedWithItsProgress)
{
    const std::string content(1'000'000, 'x');
    server.set_file("/a.tgz", content);
    EXPECT_EQ(fetched(server.url("/a.tgz")), content);
    EXPECT_GT(fraction, 0.9);
}

TEST_F(DownloadTest, ARedirectIsFollowedAFewTimesOnly)
{
    server.set("/from", {.head = "HTTP/1.1 302 Found\r\nLocation: /to", .body = ""});
    server.set_file("/to", "good");
    EXPECT_EQ(fetched(server.url("/from")), "good");
    std::filesystem::remove(file);
    server.set("/round", {.head = "HTTP/1.1 302 Found\r\nLocation: /round", .body = ""});
    EXPECT_THAT(failure(server.url("/round")).what(), HasSubstr("redirects"));
    EXPECT_EQ(server.asked().size(), 2U + 1U + static_cast<std::size_t>(limits.redirects));
}

TEST_F(DownloadTest, ARedirectDoesNotReachTheUsersFiles)
{
    std::ofstream{folder.path / "secret"} << "secret";
    server.set("/from",
               {.head = "HTTP/1.1 302 Found\r\nLocation: file://" + (folder.path / "secret").string(), .body = ""});
    EXPECT_EQ(failure(server.url("/from")).code(), ErrorCode::Unavailable);
}

TEST_F(DownloadTest, PlainHttpIsRefusedUnlessATestAsksForIt)
{
    server.set_file("/a", "good");
    EXPECT_EQ(failure(server.url("/a"), UrlSchemes::HttpsOnly).code(), ErrorCode::Unavailable);
    EXPECT_TRUE(server.asked().empty());
}

TEST_F(DownloadTest, AServerThatSaysNoIsQuoted)
{
    const auto error = failure(server.url("/nothing"));
    EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    EXPECT_THAT(error.what(), HasSubstr("404"));
}

TEST_F(DownloadTest, NobodyThereIsUnavailable)
{
    EXPECT_EQ(failure("http://127.0.0.1:1/x").code(), ErrorCode::Unavailable);
    EXPECT_EQ(failure("http://no-such-host.invalid/x").code(), ErrorCode::Unavailable);
}

TEST_F(DownloadTest, AProxyOfTheEnvironmentIsUsed)
{
    server.set_file("http://no-such-host.invalid/x", "through the proxy");
    ::setenv("http_proxy", server.url("").c_str(), 1);
    EXPECT_EQ(fetched("http://no-such-host.invalid/x"), "through the proxy");
}

TEST_F(DownloadTest, AFileThatIsTooLargeIsRefusedWhetherTheServerSaysSoOrNot)
{
    limits.size = 1000 * ByteSize{1};
    const std::string content(2000, 'x');
    server.set_file("/said", content);
    server.set("/unsaid", {.head = "HTTP/1.1 200 OK", .body = content});
    EXPECT_EQ(failure(server.url("/said")).code(), ErrorCode::CorruptData);
    EXPECT_EQ(failure(server.url("/unsaid")).code(), ErrorCode::CorruptData);
}

TEST_F(DownloadTest, AConnectionThatBreaksInTheMiddleIsNoWholeFile)
{
    server.set("/half", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 2000", .body = std::string(1000, 'x')});
    EXPECT_EQ(failure(server.url("/half")).code(), ErrorCode::Unavailable);
}

TEST_F(DownloadTest, AServerThatFallsSilentIsLeft)
{
    limits.stall = std::chrono::seconds{1};
    server.set("/slow", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 2000", .body = "x", .stalls_then = true});
    const auto error = failure(server.url("/slow"));
    EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    EXPECT_THAT(error.what(), HasSubstr("too slow"));
}

TEST_F(DownloadTest, ACancelIsHeardWhileTheServerIsSilent)
{
    server.set("/slow", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 2000", .body = "x", .stalls_then = true});
    server.on_stall([this] {
        // No event tells that the client has read all and waits (libcurl has a last timer of its own at 200 ms). A cancel that comes
        // too early is heard, too, so this can't fail falsely.
        ::poll(nullptr, 0, 500);
        stop.request_stop();
    });
    limits.stall = std::chrono::seconds{0};  // else a timer of libcurl's would look each second, cancel or not
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(failure(server.url("/slow")).code(), ErrorCode::Cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{10});
}

}  // namespace
}  // namespace banger::agent
