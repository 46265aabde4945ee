// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/desktop/notification_client.hpp"

#include <algorithm>
#include <map>
#include <notifications_proxy.hpp>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "agent/system/bus_call.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto notifications_name = "org.freedesktop.Notifications";
constexpr auto notifications_path = "/org/freedesktop/Notifications";
constexpr auto notifications_interface = "org.freedesktop.Notifications";
constexpr auto message_bus = "org.freedesktop.DBus";
constexpr auto application = "dev.banger.Banger";  // the .desktop file, and the icon

using Hints = std::map<std::string, sdbus::Variant>;

}  // namespace

/// One owner of the name, what it can do, and what it shows of ours.
class NotificationClient::Server final : public RegisteredProxy<org::freedesktop::Notifications_proxy> {
public:
    using Invoked = std::function<void(const std::string& by, const Notice& notice)>;
    struct Abilities {
        bool body{false};
        bool markup{false};
        bool actions{false};
    };

    Server(sdbus::IConnection& bus, const std::string& owner, Invoked invoked)
        : RegisteredProxy{bus, owner, notifications_path}, owner_{owner}, invoked_{std::move(invoked)}
    {
    }

    const std::string& owner() const noexcept { return owner_; }
    std::optional<Abilities> abilities{};

    /// 0: none.
    std::uint32_t shown_as(const std::string& key) const
    {
        const auto at =
            std::find_if(shown_.begin(), shown_.end(), [&](const auto& row) { return row.second.key == key; });
        return at == shown_.end() ? 0 : at->first;
    }
    void remember(std::uint32_t id, Notice notice)
    {
        constexpr std::size_t most = 256;  // a daemon need not say that it has closed one
        std::erase_if(shown_, [&](const auto& row) { return row.second.key == notice.key; });
        if (shown_.size() >= most) {
            shown_.erase(shown_.begin());
        }
        shown_.insert_or_assign(id, std::move(notice));
    }

private:
    void onNotificationClosed(const std::uint32_t& id, const std::uint32_t&) override { shown_.erase(id); }
    /// Takes it at once: right behind this daemons say that it is closed. And so an action is done once, however often it is invoked.
    void onActionInvoked(const std::uint32_t& id, const std::string& action_key) override
    {
        const auto at = shown_.find(id);  // most are other programs'
        if (at != shown_.end() && at->second.action && to_string(*at->second.action) == action_key) {
            const auto row = shown_.extract(at);
            invoked_(owner_, row.mapped());
        }
    }
    void onGetCapabilitiesReply(const std::vector<std::string>&, bus::MaybeError) override {}
    void onNotifyReply(const std::uint32_t&, bus::MaybeError) override {}

    std::string owner_;
    Invoked invoked_;
    std::map<std::uint32_t, Notice> shown_;  ///< by the daemon's number
};

NotificationClient::NotificationClient(EventLoop& loop, sdbus::IConnection& bus, NotificationLimits limits)
    : loop_{&loop}, bus_{&bus}, limits_{limits}
{
}

NotificationClient::~NotificationClient() = default;

void NotificationClient::on_action(std::function<void(NoticeAction action, std::string subject)> chosen)
{
    chosen_ = std::move(chosen);
}

Task<std::string> NotificationClient::ask_for_owner()
{
    try {
        if (!bus_itself_) {
            bus_itself_ =
                sdbus::createProxy(*bus_, bus::ServiceName{message_bus}, sdbus::ObjectPath{"/org/freedesktop/DBus"});
        }
        const auto held = bus_itself_;
        const auto answer = call_on_bus<std::string>(*loop_, *held, {message_bus, "GetNameOwner", limits_.call},
                                                     std::string{notifications_name});
        const auto [owner] = co_await answer.wait();
        co_return owner;
    } catch (const std::runtime_error&) {  // an Error (NameHasNoOwner), or sdbus-c++'s own: the bus is gone
        co_return std::string{};
    }
}

/// By the bus, where it knows a service of that name. Throws HostLacks.
Task<void> NotificationClient::begin_service()
{
    const auto held = bus_itself_;
    if (!held) {
        throw Error{ErrorCode::Unavailable, "the session bus is gone"};
    }
    std::optional<Error> failure;
    try {
        const auto answer =
            call_on_bus<std::uint32_t>(*loop_, *held, {message_bus, "StartServiceByName", limits_.start},
                                       std::string{notifications_name}, std::uint32_t{0});
        co_await answer.wait();
    } catch (const Error& error) {
        failure = error;
    }
    if (failure) {
        throw Error{ErrorCode::HostLacks,
                    std::string{"there is no notification daemon on the session bus ("} + failure->what() + ")"};
    }
}

Task<std::string> NotificationClient::find_owner(WhenAbsent when_absent)
{
    auto owner = co_await ask_for_owner();
    if (owner.empty() && when_absent == WhenAbsent::Start) {
        co_await begin_service();
        owner = co_await ask_for_owner();
    }
    co_return owner;
}

/// Another owner knows nothing of what the last one shows.
std::shared_ptr<NotificationClient::Server> NotificationClient::server_of(const std::string& owner)
{
    if (server_ && server_->owner() == owner) {
        return server_;
    }
    server_.reset();
    try {
        // By the loop: sdbus-c++ goes on using the proxy after its callback.
        server_ = std::make_shared<Server>(
            *bus_, owner, [this, later = Later{*loop_, alive_}](const std::string& by, const Notice& notice) {
                later([this, by, notice] { spawn(answer_action(by, notice)); });
            });
    } catch (const sdbus::Error& error) {
        throw bus::from_bus_error(error);
    }
    return server_;
}

Task<void> NotificationClient::learn_abilities(std::shared_ptr<Server> server)
{
    const auto answer = call_on_bus<std::vector<std::string>>(
        *loop_, server->proxy(), {notifications_interface, "GetCapabilities", limits_.call});
    const auto answered = co_await answer.wait();
    const auto& words = std::get<0>(answered);
    const auto has = [&words](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    server->abilities = Server::Abilities{has("body"), has("body-markup"), has("actions")};
}

Task<void> NotificationClient::show(Notice notice)
{
    const auto owner = co_await find_owner(WhenAbsent::Start);
    if (owner.empty()) {
        throw Error{ErrorCode::HostLacks, "the notification daemon left as it was started"};
    }
    const auto server = server_of(owner);
    if (!server->abilities) {
        co_await learn_abilities(server);
    }
    const auto can = *server->abilities;
    std::string body = can.body ? to_utf8(notice.body) : std::string{};
    if (can.markup) {
        body = escape_markup(body);
    }
    std::vector<std::string> actions;
    if (can.actions && notice.action) {
        actions = {std::string{to_string(*notice.action)}, std::string{label_of(*notice.action)}};
    }
    constexpr std::uint8_t normal_urgency = 1;
    constexpr std::int32_t own_time = -1;
    const Hints hints{{"desktop-entry", sdbus::Variant{std::string{application}}},
                      {"urgency", sdbus::Variant{normal_urgency}}};
    const auto answer = call_on_bus<std::uint32_t>(
        *loop_, server->proxy(), {notifications_interface, "Notify", limits_.call}, std::string{"banger"},
        server->shown_as(notice.key), std::string{application}, to_utf8(notice.title), body, actions, hints, own_time);
    const auto [id] = co_await answer.wait();
    server->remember(id, std::move(notice));
}

/// From the owner that has shown it, and only while it still owns the name.
Task<void> NotificationClient::answer_action(std::string shown_by, Notice notice)
{
    const std::weak_ptr<bool> alive{alive_};
    const auto owner = co_await find_owner(WhenAbsent::Leave);
    if (alive.lock() && owner == shown_by && chosen_) {
        chosen_(*notice.action, notice.subject);
    }
}

}  // namespace banger::agent
