// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_start.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/firecracker_api.hpp"
#include "agent/system/unix_socket.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Speaks as Firecracker's API does: one connection, answers in turn.
class Api {
public:
    Api(EventLoop& loop, const std::filesystem::path& folder)
        : loop_{&loop}, listener_{listen_in(folder, vm_folder::control_socket)}
    {
        accepting_ = loop.on_io(listener_.get(), EventLoop::readable, [this](std::uint32_t) {
            connection_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            received_.clear();
            reading_ = loop_->on_io(connection_.get(), EventLoop::readable, [this](std::uint32_t) { read(); });
        });
    }

    std::vector<std::string> asked;  ///< "PUT /path"
    std::string version{"1.12.1"};
    std::string state{"Running"};
    std::string refused;  ///< the path of a request that fails
    std::string silent;   ///< and of one that is not answered
    std::string cut_off;  ///< and of one at which the connection is closed

private:
    void read()
    {
        char buffer[4096];
        const auto got = ::read(connection_.get(), buffer, sizeof buffer);
        if (got <= 0) {
            reading_.reset();
            return;
        }
        received_.append(buffer, static_cast<std::size_t>(got));
        const auto end = received_.find("\r\n\r\n");
        const auto at = received_.find("Content-Length: ");
        const auto length = at < end ? std::stoul(received_.substr(at + 16)) : 0;
        if (end == std::string::npos || received_.size() < end + 4 + length) {
            return;
        }
        const auto path_at = received_.find(' ') + 1;
        const auto path = received_.substr(path_at, received_.find(' ', path_at) - path_at);
        asked.push_back(received_.substr(0, path_at) + path);
        received_.erase(0, end + 4 + length);
        answer(path);
    }

    void answer(const std::string& path)
    {
        if (path == silent) {
            return;
        }
        if (path == cut_off) {
            reading_.reset();
            connection_.reset();
            return;
        }
        const bool fails = path == refused;
        std::string body;
        if (path == "/version") {
            body = R"({"firecracker_version":")" + version + R"("})";
        } else if (path == "/") {
            body = R"({"id":"x","state":")" + state + R"(","vmm_version":"1.12.1","app_name":"Firecracker"})";
        } else if (fails) {
            body = R"~({"fault_message":"No such file \u001b[31m (os error 2)"})~";
        }
        const auto* status = fails ? "400 Bad Request" : body.empty() ? "204 No Content" : "200 OK";
        const auto text =
            std::string{"HTTP/1.1 "} + status + "\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n" +
            (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
        ASSERT_EQ(::send(connection_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }

    EventLoop* loop_;
    UniqueFd listener_;
    UniqueFd connection_;
    EventLoop::Source accepting_;
    EventLoop::Source reading_;
    std::string received_;
};

class FirecrackerStartTest : public test::LoopTest {
protected:
    FirecrackerStartTest()
    {
        child = ::fork();
        if (child == 0) {
            for (;;) {
                ::pause();
            }
        }
        process.reset(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    }
    ~FirecrackerStartTest() override { end(); }
    void end()
    {
        if (child > 0) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
            child = 0;
        }
    }
    static VmmConfig config()
    {
        return {.name = "one",
                .vcpus = 2,
                .memory_mib = 512,
                .kernel_arguments = "console=ttyS0",
                .disks = VmmConfig::Disks::All,
                .network = {.kind = VmmNetwork::Kind::Tap, .mac = "02:62:00:00:00:01", .tap = "guest0"}};
    }
    static Task<Unit> with_value(Task<void> task)
    {
        co_await task;
        co_return Unit{};
    }
    auto begin_start(FirecrackerLimits limits = {})
    {
        return begin(with_value(start_firecracker(loop, folder.path, config(), process.get(), limits)));
    }
    std::shared_ptr<Answer<Unit>> start(FirecrackerLimits limits = {})
    {
        auto answer = begin_start(limits);
        EXPECT_TRUE(drive([&] { return answer->ended; }));
        return answer;
    }

    test::TemporaryFolder folder;
    pid_t child{0};
    UniqueFd process;
};

TEST_F(FirecrackerStartTest, TheVmIsDescribedInOrderAndThenStarted)
{
    Api api{loop, folder.path};
    const auto answer = start();
    ASSERT_TRUE(answer->value) << answer->error->what();
    EXPECT_THAT(api.asked, ElementsAre("GET /version", "PUT /metrics", "PUT /machine-config", "PUT /boot-source",
                                       "PUT /drives/root", "PUT /drives/work", "PUT /drives/modules", "PUT /vsock",
                                       "PUT /network-interfaces/net", "PUT /balloon", "PUT /entropy", "PUT /actions"));
}

TEST_F(FirecrackerStartTest, ASocketThatComesLaterIsSeenWithoutAsking)
{
    const auto answer = begin_start();
    let_pass();
    EXPECT_FALSE(answer->ended);
    Api api{loop, folder.path};
    std::ofstream{folder.path / vm_folder::firecracker_log} << "Listening on API socket\n";
    EXPECT_TRUE(drive([&] { return answer->ended; }));
    EXPECT_TRUE(answer->value);
}

TEST_F(FirecrackerStartTest, ARefusalIsPassedOnInFirecrackersWords)
{
    Api api{loop, folder.path};
    api.refused = "/drives/root";
    const auto answer = start();
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::Failed);
    EXPECT_THAT(answer->error->what(), AllOf(HasSubstr("refuses the disk root"), HasSubstr("No such file"),
                                             HasSubstr("(os error 2)"), ::testing::Not(HasSubstr("\x1b"))));
    EXPECT_EQ(api.asked.back(), "PUT /drives/root");
}

TEST_F(FirecrackerStartTest, AnOldOneIsRefused)
{
    Api api{loop, folder.path};
    api.version = "1.11.0";
    const auto answer = start();
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::HostLacks);
    EXPECT_THAT(answer->error->what(), HasSubstr("banger runtime fetch"));
}

TEST_F(FirecrackerStartTest, OneThatDoesNotAnswerIsGivenUp)
{
    Api api{loop, folder.path};
    api.silent = "/boot-source";
    const auto answer = start({.request = std::chrono::milliseconds{50}});
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::TimedOut);
    EXPECT_THAT(answer->error->what(), HasSubstr("the kernel"));
}

TEST_F(FirecrackerStartTest, OneThatNeverListensIsGivenUp)
{
    const auto answer = start({.socket = std::chrono::milliseconds{50}});
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::TimedOut);
}

TEST_F(FirecrackerStartTest, ItsEndIsSeenAtOnceBeforeAndAfterItListens)
{
    std::ofstream{folder.path / vm_folder::firecracker_log} << "no such device\n";
    auto answer = begin_start();
    end();
    EXPECT_TRUE(drive([&] { return answer->ended; }));
    ASSERT_TRUE(answer->error);
    EXPECT_THAT(answer->error->what(), AllOf(HasSubstr("ended"), HasSubstr("no such device")));

    Api api{loop, folder.path};
    api.silent = "/metrics";
    answer = start();
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::Failed);
    EXPECT_THAT(answer->error->what(), HasSubstr("no such device"));
}

TEST_F(FirecrackerStartTest, AnEndIsToldAsOneAlsoWhenTheConnectionClosesFirst)
{
    Api api{loop, folder.path};
    api.cut_off = "/boot-source";
    std::ofstream{folder.path / vm_folder::firecracker_log} << "no such device\n";
    auto answer = begin_start();
    ASSERT_TRUE(drive([&] { return !api.asked.empty() && api.asked.back() == "PUT /boot-source"; }));
    let_pass();
    EXPECT_FALSE(answer->ended);
    end();
    ASSERT_TRUE(drive([&] { return answer->ended; }));
    EXPECT_THAT(answer->error->what(), AllOf(HasSubstr("ended before"), HasSubstr("no such device")));
}

TEST_F(FirecrackerStartTest, AConnectionThatALivingOneClosesIsTold)
{
    Api api{loop, folder.path};
    api.cut_off = "/boot-source";
    const auto answer = start();
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::Failed);
    EXPECT_THAT(answer->error->what(), HasSubstr("asked for the kernel"));
}

TEST_F(FirecrackerStartTest, OneThatWasNeverToldWhatToBootIsKnown)
{
    EXPECT_TRUE(run(firecracker_has_booted(loop, folder.path))->value.value());  // nobody answers: left alone
    Api api{loop, folder.path};
    EXPECT_TRUE(run(firecracker_has_booted(loop, folder.path))->value.value());
    api.state = "Not started";
    EXPECT_FALSE(run(firecracker_has_booted(loop, folder.path))->value.value());
}

TEST(FirecrackerApiTest, DisksHonourFlushesAndPathsAreRelative)
{
    const VmmConfig config{.name = "one",
                           .vcpus = 1,
                           .memory_mib = 128,
                           .kernel_arguments = "quiet",
                           .disks = VmmConfig::Disks::All,
                           .network = {}};
    for (const auto& request : firecracker_requests(config)) {
        const auto body = nlohmann::json::parse(request.body);
        for (const auto* key : {"path_on_host", "kernel_image_path", "initrd_path", "uds_path", "metrics_path"}) {
            if (body.contains(key)) {
                EXPECT_NE(body[key].get<std::string>().at(0), '/') << request.body;
            }
        }
        if (body.contains("is_read_only") && body["is_read_only"] == false) {
            EXPECT_EQ(body["cache_type"], "Writeback");
        }
        EXPECT_THAT(request.path, ::testing::Not(HasSubstr("network")));
    }
}

TEST(FirecrackerApiTest, LimitsAreSetOnlyWhereTheyAreAskedFor)
{
    VmmConfig config{.name = "one",
                     .vcpus = 1,
                     .memory_mib = 128,
                     .kernel_arguments = "quiet",
                     .disks = VmmConfig::Disks::All,
                     .network = {.kind = VmmNetwork::Kind::Tap, .tap = "guest0"}};
    for (const auto& request : firecracker_requests(config)) {
        EXPECT_THAT(request.body, ::testing::Not(HasSubstr("rate_limiter"))) << request.path;
    }
    config.rates = {10 * mib, 200, 3 * mib};
    std::map<std::string, nlohmann::json> bodies;
    for (const auto& request : firecracker_requests(config)) {
        bodies[request.path] = nlohmann::json::parse(request.body);
    }
    for (const auto* disk : {"/drives/root", "/drives/work"}) {
        EXPECT_EQ(bodies[disk]["rate_limiter"]["bandwidth"]["size"], 10U << 20U);
        EXPECT_EQ(bodies[disk]["rate_limiter"]["bandwidth"]["refill_time"], 1000);
        EXPECT_EQ(bodies[disk]["rate_limiter"]["ops"]["size"], 200);
    }
    for (const auto* direction : {"rx_rate_limiter", "tx_rate_limiter"}) {
        EXPECT_EQ(bodies["/network-interfaces/net"][direction]["bandwidth"]["size"], 3U << 20U);
        EXPECT_FALSE(bodies["/network-interfaces/net"][direction].contains("ops"));
    }
    EXPECT_FALSE(bodies["/drives/modules"].contains("rate_limiter"));
}

TEST(FirecrackerApiTest, AVersionIsThreeNumbers)
{
    EXPECT_EQ(to_string(parse_firecracker_version("Firecracker v1.12.1").value()), "1.12.1");
    EXPECT_EQ(to_string(parse_firecracker_version("1.13.0-dev").value()), "1.13.0");
    for (const auto* text : {"", "1.12", "v", "1.-2.3", "one.two.three", "Firecracker"}) {
        EXPECT_FALSE(parse_firecracker_version(text)) << text;
    }
    EXPECT_LT(parse_firecracker_version("1.9.10").value(), oldest_firecracker);
    EXPECT_GT(parse_firecracker_version("2.0.0").value(), oldest_firecracker);
}

TEST(FirecrackerApiTest, AFaultIsShownAsItIsButForWhatMayHarm)
{
    EXPECT_EQ(firecracker_fault(R"({"fault_message":"bad"})"), "bad");
    EXPECT_EQ(firecracker_fault("[1]"), "[1]");
    EXPECT_EQ(firecracker_fault(R"({"fault_message":7})"), R"({"fault_message":7})");
    EXPECT_LT(firecracker_fault(std::string(5000, 'x')).size(), 500U);
}

}  // namespace
}  // namespace banger::agent
