// SPDX-License-Identifier: GPL-2.0-or-later
// The client over a real bus of the test's own, with daemons that the test plays itself.
#include "agent/system/desktop/notification_client.hpp"

#include <gmock/gmock.h>

#include <map>
#include <notifications_adaptor.hpp>

#include "agent/system/private_bus.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto daemon_name = "org.freedesktop.Notifications";

struct ShownNotification {
    std::uint32_t replaces;
    std::string title;
    std::string body;
    std::vector<std::string> actions;
};

/// A daemon's process, as the bus sees it.
class NotificationDaemon final : public sdbus::AdaptorInterfaces<org::freedesktop::Notifications_adaptor> {
public:
    explicit NotificationDaemon(sdbus::IConnection& bus)
        : AdaptorInterfaces{bus, sdbus::ObjectPath{"/org/freedesktop/Notifications"}}
    {
        registerAdaptor();
    }
    NotificationDaemon(const NotificationDaemon&) = delete;
    NotificationDaemon& operator=(const NotificationDaemon&) = delete;
    ~NotificationDaemon() { unregisterAdaptor(); }

    void invoke(std::uint32_t id, const std::string& key) { emitActionInvoked(id, key); }
    void invoke_at(const std::string& receiver, std::uint32_t id, const std::string& key)
    {
        bus::emit_to(getObject(), receiver, daemon_name, "ActionInvoked", id, key);
    }
    void close(std::uint32_t id) { emitNotificationClosed(id, std::uint32_t{2}); }

    std::vector<std::string> capabilities{"body", "body-markup", "actions"};
    int times_asked{0};
    std::vector<ShownNotification> shown;

private:
    std::vector<std::string> GetCapabilities() override
    {
        ++times_asked;
        return capabilities;
    }
    std::uint32_t Notify(const std::string&, const std::uint32_t& replaces, const std::string&,
                         const std::string& title, const std::string& body, const std::vector<std::string>& actions,
                         const std::map<std::string, sdbus::Variant>&, const std::int32_t&) override
    {
        shown.push_back({replaces, title, body, actions});
        return replaces != 0 ? replaces : static_cast<std::uint32_t>(shown.size());
    }
};

class NotificationClientTest : public test::LoopTest {
protected:
    /// Somebody on the bus.
    struct Party {
        Party(EventLoop& on, const std::string& address)
            : connection{bus::open_bus(address)}, attachment{*connection, on, [] {}}, daemon{*connection}
        {
        }
        std::unique_ptr<sdbus::IConnection> connection;
        bus::LoopAttachment attachment;
        NotificationDaemon daemon;
    };
    std::unique_ptr<Party> party() { return std::make_unique<Party>(loop, bus.address()); }

    void SetUp() override
    {
        client.on_action([this](NoticeAction action, const std::string& subject) {
            chosen.push_back(std::string{to_string(action)} + " " + subject);
        });
    }
    std::optional<Error> show(Notice notice) { return run(shown_by(std::move(notice)))->error; }
    Notice notice(const std::string& title, const std::string& key = "vm:web") const
    {
        return {.key = key,
                .title = title,
                .body = "a <b> & c",
                .about = "web",
                .action = NoticeAction::ShowLog,
                .subject = "id-of-web"};
    }

    test::TemporaryFolder folder;
    PrivateBus bus{folder.path / "bus"};
    std::unique_ptr<sdbus::IConnection> connection{bus::open_bus(bus.address())};
    bus::LoopAttachment attachment{*connection, loop, [] {}};
    std::vector<std::string> chosen;
    NotificationClient client{loop, *connection};

private:
    Task<Unit> shown_by(Notice notice)
    {
        co_await client.show(std::move(notice));
        co_return Unit{};
    }
};

TEST_F(NotificationClientTest, ANoticeIsShownWithItsActionAndItsMarkupEscaped)
{
    const auto owner = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    ASSERT_THAT(owner->daemon.shown, SizeIs(1));
    const auto& shown = owner->daemon.shown[0];
    EXPECT_EQ(shown.title, "web has ended");
    EXPECT_EQ(shown.body, "a &lt;b&gt; &amp; c");
    EXPECT_THAT(shown.actions, ElementsAre("show-log", "Show the log"));
    EXPECT_EQ(shown.replaces, 0U);
}

TEST_F(NotificationClientTest, WhatADaemonCantDoIsLeftOut)
{
    const auto owner = party();
    owner->daemon.capabilities = {"body"};
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    EXPECT_EQ(owner->daemon.shown.at(0).body, "a <b> & c") << "it shows markup as it is";
    EXPECT_THAT(owner->daemon.shown.at(0).actions, IsEmpty());
}

TEST_F(NotificationClientTest, ASecondOneOfTheSameKeyTakesThePlaceOfTheFirst)
{
    const auto owner = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("db has ended", "vm:db")));
    EXPECT_FALSE(show(notice("web has ended")));
    EXPECT_FALSE(show(notice("web did not start")));
    ASSERT_THAT(owner->daemon.shown, SizeIs(3));
    EXPECT_EQ(owner->daemon.shown[1].replaces, 0U);
    EXPECT_EQ(owner->daemon.shown[2].replaces, 2U);
    EXPECT_EQ(owner->daemon.times_asked, 1) << "what it can do is asked once";
    owner->daemon.close(2);
    EXPECT_TRUE(drive([&] {
        EXPECT_FALSE(show(notice("web again")));
        return owner->daemon.shown.back().replaces == 0;
    })) << "what is closed is replaced by nothing";
}

TEST_F(NotificationClientTest, TheNextDaemonKnowsNothingOfTheLastOnesNumbers)
{
    auto first = party();
    bus::request_name(*first->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    first.reset();
    const auto second = party();
    bus::request_name(*second->connection, daemon_name);
    EXPECT_FALSE(show(notice("web did not start")));
    EXPECT_EQ(second->daemon.shown.at(0).replaces, 0U);
    EXPECT_EQ(second->daemon.times_asked, 1);
}

TEST_F(NotificationClientTest, AnActionIsDoneOnce)
{
    const auto owner = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    owner->daemon.invoke(7, "show-log");  // another program's
    owner->daemon.invoke(1, "show-log");
    owner->daemon.invoke(1, "show-log");
    EXPECT_TRUE(drive([this] { return !chosen.empty(); }));
    let_pass();
    EXPECT_THAT(chosen, ElementsAre("show-log id-of-web"));
}

/// As most daemons do: what was clicked is gone from the screen at once.
TEST_F(NotificationClientTest, AnActionWhoseNotificationIsClosedRightBehindItIsDone)
{
    const auto owner = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    owner->daemon.invoke(1, "show-log");
    owner->daemon.close(1);
    EXPECT_TRUE(drive([this] { return !chosen.empty(); }));
    let_pass();
    EXPECT_THAT(chosen, ElementsAre("show-log id-of-web"));
}

TEST_F(NotificationClientTest, AnActionThatWasNotOfferedIsNone)
{
    const auto owner = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    owner->daemon.invoke(1, "start");
    let_pass();
    EXPECT_THAT(chosen, IsEmpty());
    owner->daemon.invoke(1, "show-log");
    EXPECT_TRUE(drive([this] { return !chosen.empty(); })) << "it takes nothing away from the one that was";
}

TEST_F(NotificationClientTest, AStrangersSignalIsNotHeard)
{
    const auto owner = party();
    const auto stranger = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    stranger->daemon.invoke(1, "show-log");
    stranger->daemon.invoke_at(connection->getUniqueName(), 1, "show-log");
    let_pass();
    EXPECT_THAT(chosen, IsEmpty());
    owner->daemon.invoke(1, "show-log");
    EXPECT_TRUE(drive([this] { return !chosen.empty(); })) << "the check sees what it looks for";
}

TEST_F(NotificationClientTest, OneThatOwnsTheNameNoMoreIsNotHeard)
{
    const auto owner = party();
    bus::request_name(*owner->connection, daemon_name);
    EXPECT_FALSE(show(notice("web has ended")));
    bus::release_name(*owner->connection, daemon_name);
    owner->daemon.invoke(1, "show-log");
    let_pass();
    EXPECT_THAT(chosen, IsEmpty());
}

TEST_F(NotificationClientTest, WithoutADaemonItSaysSo)
{
    const auto failure = show(notice("web has ended"));
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->code(), ErrorCode::HostLacks);
    EXPECT_THAT(failure->what(), HasSubstr("there is no notification daemon"));
}

TEST_F(NotificationClientTest, AnOwnerThatIsNoDaemonIsAnError)
{
    const auto other = bus::open_bus(bus.address());
    const bus::LoopAttachment attached{*other, loop, [] {}};
    bus::request_name(*other, daemon_name);
    EXPECT_TRUE(show(notice("web has ended")));
}

}  // namespace
}  // namespace banger::agent
