// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/ports/notifier.hpp"
#include "common/event_loop.hpp"

namespace sdbus {
class IConnection;
class IProxy;
}  // namespace sdbus

namespace banger::agent {

/// How long the notification daemon may take.
struct NotificationLimits {
    std::chrono::milliseconds start{10'000};  ///< where the bus starts it first
    std::chrono::milliseconds call{5'000};
};

/// org.freedesktop.Notifications on the session bus. It speaks to the connection that owns the name, and not to the name: what one daemon
/// knows by a number the next one does not, and a signal counts from nobody else. Nothing is done before the first show().
class NotificationClient final : public Notifier {
public:
    /// `bus` is attached to `loop`; both outlive this.
    NotificationClient(EventLoop& loop, sdbus::IConnection& bus, NotificationLimits limits = {});
    ~NotificationClient() override;

    Task<void> show(Notice notice) override;
    void on_action(std::function<void(NoticeAction action, std::string subject)> chosen) override;

private:
    class Server;
    enum class WhenAbsent { Start, Leave };
    /// The unique name of who owns the name now; empty where there is nobody.
    Task<std::string> find_owner(WhenAbsent when_absent);
    Task<std::string> ask_for_owner();
    Task<void> begin_service();
    std::shared_ptr<Server> server_of(const std::string& owner);
    Task<void> learn_abilities(std::shared_ptr<Server> server);
    Task<void> answer_action(std::string shown_by, Notice notice);

    EventLoop* loop_;
    sdbus::IConnection* bus_;
    NotificationLimits limits_;
    std::shared_ptr<sdbus::IProxy> bus_itself_;
    std::shared_ptr<Server> server_;  ///< calls under way hold it, too
    std::function<void(NoticeAction, std::string)> chosen_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
