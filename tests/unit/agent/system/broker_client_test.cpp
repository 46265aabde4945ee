// SPDX-License-Identifier: GPL-2.0-or-later
// The client of the broker over a real bus of the test's own, with a stand-in at its other end.
#include "agent/system/broker_client.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <broker1_adaptor.hpp>
#include <cstdlib>
#include <fstream>

#include "agent/system/private_bus.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/silent_bus.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::uint8_t>;

/// What the stand-in is to do with the next calls, and what it saw of them.
struct Behaviour {
    std::optional<Error> refuse{};
    bool hang{false};
    bool vanish{false};
    std::vector<std::string> calls{};
    Ids digest{};
    std::string base_content{};
    int base_flags{-1};
};

class StandIn final : public sdbus::AdaptorInterfaces<dev::banger::Broker1_adaptor> {
public:
    StandIn(sdbus::IConnection& bus, EventLoop& loop, Behaviour& behaviour, std::function<void()> vanish)
        : AdaptorInterfaces{bus, sdbus::ObjectPath{"/dev/banger/Broker1"}},
          loop_{&loop},
          behaviour_{&behaviour},
          vanish_{std::move(vanish)}
    {
        registerAdaptor();
    }
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;
    StandIn(StandIn&&) = delete;
    StandIn& operator=(StandIn&&) = delete;
    ~StandIn() { unregisterAdaptor(); }

private:
    using ListRow = sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string, bool,
                                  std::string, std::uint64_t, std::uint64_t, std::uint64_t>;
    using AdminRow = sdbus::Struct<std::uint32_t, std::string, std::string, std::string, std::uint64_t, std::uint64_t>;

    template <typename Result, typename... Values>
    void answer(Result&& result, const std::string& call, const Values&... values)
    {
        behaviour_->calls.push_back(call);
        if (behaviour_->refuse) {
            result.returnError(bus::to_bus_error(*behaviour_->refuse));
        } else if (behaviour_->vanish) {
            loop_->post(vanish_);
            kept_.push_back(std::make_shared<std::decay_t<Result>>(std::move(result)));
        } else if (behaviour_->hang) {
            kept_.push_back(std::make_shared<std::decay_t<Result>>(std::move(result)));
        } else {
            result.returnResults(values...);
        }
    }

    void CreateSandbox(sdbus::Result<>&& result, std::string id, Ids digest, std::uint64_t bytes,
                       std::uint32_t flags) override
    {
        behaviour_->digest = std::move(digest);
        answer(std::move(result), "create " + id + " " + std::to_string(bytes) + " " + std::to_string(flags));
    }
    void StartSandbox(
        sdbus::Result<std::string, std::string, std::string, std::string, std::uint32_t, std::string>&& result,
        std::string id, std::vector<sdbus::UnixFd> base, Ids digest, std::uint32_t flags) override
    {
        behaviour_->digest = std::move(digest);
        for (auto& given : base) {
            const auto file = bus::take_fd(std::move(given));
            behaviour_->base_flags = ::fcntl(file.get(), F_GETFL) & O_ACCMODE;
            std::string content(64, '\0');
            const auto got = ::read(file.get(), content.data(), content.size());
            behaviour_->base_content = content.substr(0, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        }
        answer(std::move(result), "start " + id + " " + std::to_string(base.size()) + " " + std::to_string(flags),
               std::string{"/dev/dm-7"}, std::string{"bgr7"}, std::string{"10.213.0.2"}, std::string{"10.213.0.1"},
               std::uint32_t{30}, std::string{"02:00:00:00:00:07"});
    }
    void StopSandbox(sdbus::Result<>&& result, std::string id) override { answer(std::move(result), "stop " + id); }
    void GrowSandbox(sdbus::Result<>&& result, std::string id, std::uint64_t bytes) override
    {
        answer(std::move(result), "grow " + id + " " + std::to_string(bytes));
    }
    void CloneSandbox(sdbus::Result<>&& result, std::string id, std::string) override
    {
        answer(std::move(result), "clone " + id);
    }
    void SetNat(sdbus::Result<>&& result, std::string id, bool enabled, std::uint32_t flags) override
    {
        answer(std::move(result), "nat " + id + (enabled ? " on " : " off ") + std::to_string(flags));
    }
    void PublishName(sdbus::Result<>&& result, std::string, std::string, sdbus::UnixFd) override
    {
        answer(std::move(result), "publish");
    }
    void WithdrawName(sdbus::Result<>&& result, std::string) override { answer(std::move(result), "withdraw"); }
    void DestroySandbox(sdbus::Result<>&& result, std::string id) override
    {
        answer(std::move(result), "destroy " + id);
    }
    void List(sdbus::Result<std::vector<ListRow>>&& result) override
    {
        const std::vector<ListRow> rows{
            ListRow{"a", "held", "/dev/dm-7", "bgr7", "10.213.0.2", "10.213.0.1", true, "web", 5, 6, 7},
            ListRow{"b", "stopped", "", "", "", "", false, "", 0, 0, 0}};
        answer(std::move(result), "list", rows);
    }
    void AdminList(sdbus::Result<std::vector<AdminRow>>&& result, std::uint32_t) override
    {
        answer(std::move(result), "admin-list", std::vector<AdminRow>{});
    }
    void AdminDestroy(sdbus::Result<>&& result, std::uint32_t, std::string, std::uint32_t) override
    {
        answer(std::move(result), "admin-destroy");
    }

    EventLoop* loop_;
    Behaviour* behaviour_;
    std::function<void()> vanish_;
    std::vector<std::shared_ptr<void>> kept_;
};

/// A broker's process, as the bus sees it.
struct Service {
    Service(EventLoop& loop, Behaviour& behaviour, std::function<void()> vanish)
        : connection{bus::open_system_bus()},
          attachment{*connection, loop, [] {}},
          object{*connection, loop, behaviour, std::move(vanish)}
    {
        bus::request_name(*connection, "dev.banger.Broker1");
    }
    std::unique_ptr<sdbus::IConnection> connection;
    bus::LoopAttachment attachment;
    StandIn object;
};

class BrokerClientTest : public test::LoopTest {
protected:
    void SetUp() override
    {
        open_bus();
        ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address().c_str(), 1);
    }
    void TearDown() override { ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
    void open_bus() { bus.emplace(folder.path / "bus"); }
    void serve()
    {
        service = std::make_unique<Service>(loop, behaviour, [this] { service.reset(); });
    }
    static Digest digest() { return Digest::parse("00ff" + std::string(60, 'a')); }
    template <typename T>
    Error failure(Task<T> task)
    {
        const auto answer = run(std::move(task));
        EXPECT_TRUE(answer->error);
        return answer->error.value_or(Error{ErrorCode::Internal, "it went well"});
    }
    /// Task<void> as one with a value, for run().
    static Task<int> done(Task<void> task)
    {
        co_await task;
        co_return 0;
    }

    test::TemporaryFolder folder;
    std::optional<PrivateBus> bus;
    Behaviour behaviour;
    std::unique_ptr<Service> service;
    BrokerClient broker{loop};
};

TEST_F(BrokerClientTest, SaysWhatTheInterfaceWants)
{
    serve();
    const auto base = folder.path / "rootfs.ext4";
    std::ofstream{base} << "an image";
    EXPECT_FALSE(run(done(broker.create("x-1", digest(), 2 * gib, Nat::Off, Prompt::Allowed)))->error);
    EXPECT_EQ(behaviour.digest.size(), 32U);
    EXPECT_EQ(behaviour.digest[1], 0xffU);
    EXPECT_FALSE(run(done(broker.create("x-2", std::nullopt, ByteSize{}, Nat::On, Prompt::Never)))->error);
    EXPECT_TRUE(behaviour.digest.empty());
    const auto started = run(broker.start("x-1", SandboxBase{base, digest()}, SandboxNetwork::Tap));
    ASSERT_TRUE(started->value);
    EXPECT_EQ(started->value->disk, "/dev/dm-7");
    EXPECT_EQ(started->value->tap, "bgr7");
    EXPECT_EQ(started->value->gateway, "10.213.0.1");
    EXPECT_EQ(started->value->prefix, 30U);
    EXPECT_EQ(started->value->mac, "02:00:00:00:00:07");
    EXPECT_EQ(behaviour.base_content, "an image");
    EXPECT_EQ(behaviour.base_flags, O_RDONLY);
    EXPECT_TRUE(run(broker.start("x-2", std::nullopt, SandboxNetwork::None))->value);
    EXPECT_FALSE(run(done(broker.set_nat("x-1", Nat::On, Prompt::Never)))->error);
    EXPECT_FALSE(run(done(broker.grow("x-1", 3 * gib)))->error);
    EXPECT_FALSE(run(done(broker.stop("x-1")))->error);
    EXPECT_FALSE(run(done(broker.destroy("x-1")))->error);
    EXPECT_THAT(behaviour.calls,
                ElementsAre("create x-1 2147483648 1", "create x-2 0 4", "start x-1 1 2", "start x-2 0 0",
                            "nat x-1 on 0", "grow x-1 3221225472", "stop x-1", "destroy x-1"));
}

TEST_F(BrokerClientTest, ReadsTheList)
{
    serve();
    const auto rows = run(broker.list());
    ASSERT_TRUE(rows->value);
    EXPECT_THAT(*rows->value, ElementsAre(SandboxRow{"a", SandboxRow::State::Held, Nat::On, "web", ByteSize{5},
                                                     ByteSize{6}, ByteSize{7}},
                                          SandboxRow{"b"}));
}

TEST_F(BrokerClientTest, PassesTheBrokersOwnErrorsOn)
{
    serve();
    behaviour.refuse = Error{ErrorCode::QuotaExceeded, "you have 64 sandboxes"};
    const auto error = failure(done(broker.create("x", digest(), 1 * gib, Nat::Off, Prompt::Never)));
    EXPECT_EQ(error.code(), ErrorCode::QuotaExceeded);
    EXPECT_STREQ(error.what(), "you have 64 sandboxes");
}

TEST_F(BrokerClientTest, WithoutABrokerSaysSoAndFindsOneThatComes)
{
    const auto error = failure(broker.list());
    EXPECT_EQ(error.code(), ErrorCode::HostLacks);
    EXPECT_THAT(error.what(), HasSubstr("no banger-broker"));
    EXPECT_EQ(run(broker.examine())->value->state, BrokerReport::State::Missing);
    serve();
    EXPECT_TRUE(run(broker.list())->value);
}

TEST_F(BrokerClientTest, WithoutASystemBusSaysSo)
{
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/no/such/socket", 1);
    const auto error = failure(broker.list());
    EXPECT_EQ(error.code(), ErrorCode::HostLacks);
    EXPECT_THAT(error.what(), HasSubstr("no system bus"));
    EXPECT_EQ(run(broker.examine())->value->state, BrokerReport::State::Missing);
}

TEST_F(BrokerClientTest, ABusThatTakesAConnectionAndSaysNothingBlocksNobody)
{
    constexpr milliseconds short_turn{500};  // sd-bus waits for 25 s
    auto silent = std::make_unique<test::SilentBus>(folder.path / "silent");
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", silent->address().c_str(), 1);
    BrokerClient hasty{loop, {milliseconds{400}, milliseconds{800}, milliseconds{400}}};
    const auto first = begin(hasty.list());
    const auto second = begin(hasty.list());
    EXPECT_LT(longest_turn_until([&] { return first->ended && second->ended; }), short_turn);
    for (const auto& answer : {first, second}) {
        ASSERT_TRUE(answer->error);
        EXPECT_EQ(answer->error->code(), ErrorCode::TimedOut);
    }
    EXPECT_EQ(run(hasty.examine())->value->state, BrokerReport::State::Failing);
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address().c_str(), 1);
    silent.reset();
    serve();
    EXPECT_TRUE(drive([&] { return run(hasty.list())->value.has_value(); })) << "another one is found";
}

TEST_F(BrokerClientTest, OneThatGoesWhileTheBusIsOpenedHarmsNothing)
{
    auto silent = std::make_unique<test::SilentBus>(folder.path / "silent");
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", silent->address().c_str(), 1);
    auto gone =
        std::make_unique<BrokerClient>(loop, BrokerLimits{milliseconds{50}, milliseconds{50}, milliseconds{50}});
    const auto answer = begin(gone->list());
    gone.reset();
    EXPECT_TRUE(drive([&] { return answer->ended; }));
    EXPECT_TRUE(answer->error);
    silent.reset();
    let_pass();
}

TEST_F(BrokerClientTest, ABrokerThatHangsHasItsTimeAndNoMore)
{
    serve();
    behaviour.hang = true;
    BrokerClient hasty{loop, {milliseconds{400}, milliseconds{800}, milliseconds{400}}};
    EXPECT_EQ(failure(hasty.list()).code(), ErrorCode::TimedOut);
    EXPECT_EQ(run(hasty.examine())->value->state, BrokerReport::State::Failing);
    behaviour.hang = false;
    EXPECT_TRUE(run(broker.list())->value);
}

TEST_F(BrokerClientTest, ABrokerThatGoesAwayInTheMiddleIsUnavailable)
{
    serve();
    behaviour.vanish = true;
    const auto error = failure(broker.start("x", std::nullopt, SandboxNetwork::Tap));
    EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    behaviour.vanish = false;
    serve();
    EXPECT_TRUE(run(broker.start("x", std::nullopt, SandboxNetwork::Tap))->value);
}

TEST_F(BrokerClientTest, AnotherKindOfBrokerIsTold)
{
    const auto other = bus::open_system_bus();
    const bus::LoopAttachment attachment{*other, loop, [] {}};
    bus::request_name(*other, "dev.banger.Broker1");
    EXPECT_EQ(failure(broker.list()).code(), ErrorCode::HostLacks);
    EXPECT_EQ(run(broker.examine())->value->state, BrokerReport::State::Old);
}

TEST_F(BrokerClientTest, ASystemBusThatIsRestartedIsFoundAgain)
{
    serve();
    ASSERT_TRUE(run(broker.list())->value);
    bus.reset();
    let_pass();
    EXPECT_TRUE(run(broker.list())->error);
    service.reset();
    open_bus();
    serve();
    EXPECT_TRUE(run(broker.list())->value);
}

TEST_F(BrokerClientTest, WithoutPolkitNothingIsAllowedAndDoctorHearsOfIt)
{
    serve();
    const auto report = run(broker.examine());
    ASSERT_TRUE(report->value);
    EXPECT_EQ(report->value->state, BrokerReport::State::Refuses);
    EXPECT_THAT(report->value->detail, HasSubstr("polkit does not answer"));
    EXPECT_EQ(report->value->sandboxes.size(), 2U);
}

TEST_F(BrokerClientTest, AChangeIsPassedOn)
{
    serve();
    int changes = 0;
    broker.on_change([&changes] { ++changes; });
    ASSERT_TRUE(run(broker.list())->value);
    service->object.emitSandboxChanged("a", "held", 1, 2, 3);
    EXPECT_TRUE(drive([&] { return changes == 1; }));
}

}  // namespace
}  // namespace banger::agent
