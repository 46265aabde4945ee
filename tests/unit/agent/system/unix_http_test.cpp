// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/unix_http.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <thread>

#include "agent/system/unix_socket.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

class UnixHttpTest : public test::LoopTest {
protected:
    /// Answers the first request with `begin`, and then `line` until the other end is gone or has taken 100 MiB.
    std::thread serve(std::string begin, std::string line)
    {
        return std::thread{[this, begin = std::move(begin), line = std::move(line)] {
            const UniqueFd connection{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            const auto say = [&connection](const std::string& text) {
                return ::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0;
            };
            say(begin);
            constexpr std::size_t most = std::size_t{100} << 20U;
            for (std::size_t sent = 0; sent < most && say(line); sent += line.size()) {
                taken = sent;
            }
        }};
    }

    test::TemporaryFolder folder;
    UniqueFd listener{listen_in(folder.path, "socket")};
    std::size_t taken{0};
};

TEST_F(UnixHttpTest, EndlessHeadersAndTrailersEndTheRequest)
{
    ASSERT_EQ(::fcntl(listener.get(), F_SETFL, 0), 0);
    for (const auto* begin : {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
        UnixHttp http{loop, folder.path, "socket"};
        auto server = serve(begin, "X-Line: " + std::string(4000, 'x') + "\r\n");
        const auto answer = run(http.send("GET", "/", "", std::chrono::seconds{9}));
        EXPECT_TRUE(answer->error);
        if (answer->error) {
            EXPECT_EQ(answer->error->code(), ErrorCode::Unavailable) << answer->error->what();
        }
        http.fail_all(Error{ErrorCode::Failed, "over"});
        server.join();
        EXPECT_LT(taken, std::size_t{2} << 20U) << begin;
    }
}

TEST_F(UnixHttpTest, ARequestHasNothingOfTheOneBefore)
{
    ASSERT_EQ(::fcntl(listener.get(), F_SETFL, 0), 0);
    std::string heard;
    std::thread server{[this, &heard] {
        const UniqueFd connection{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        for (const std::string_view end : {"{}", "\r\n\r\n"}) {
            std::string request;
            while (!request.ends_with(end)) {
                char buffer[1024];
                const auto got = ::recv(connection.get(), buffer, sizeof buffer, 0);
                if (got <= 0) {
                    return;
                }
                request.append(buffer, static_cast<std::size_t>(got));
            }
            heard += request;
            constexpr std::string_view done = "HTTP/1.1 204 No Content\r\n\r\n";
            ::send(connection.get(), done.data(), done.size(), MSG_NOSIGNAL);
        }
    }};
    UnixHttp http{loop, folder.path, "socket"};
    EXPECT_TRUE(run(http.send("PUT", "/one", "{}", std::chrono::seconds{9}))->value);
    EXPECT_TRUE(run(http.send("GET", "/two", "", std::chrono::seconds{9}))->value);
    server.join();
    EXPECT_NE(heard.find("PUT /one "), std::string::npos);
    EXPECT_NE(heard.find("GET /two "), std::string::npos);
    EXPECT_EQ(heard.find("Content-Length"), heard.rfind("Content-Length")) << heard;
}

}  // namespace
}  // namespace banger::agent
