// SPDX-License-Identifier: GPL-2.0-or-later
#include "dbus/compat/bus.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>
#include "common/text.hpp"

namespace banger::bus {
namespace {

template <typename Open>
std::unique_ptr<sdbus::IConnection> opened(const std::string& what, Open&& open)
{
    try {
        return open();
    } catch (const sdbus::Error& error) {
        throw Error{ErrorCode::Unavailable, "can't reach " + what + ": " + error.getMessage()};
    }
}

}  // namespace

std::unique_ptr<sdbus::IConnection> open_session_bus()
{
    return opened("the session bus", [] { return sdbus::createSessionBusConnection(); });
}

std::unique_ptr<sdbus::IConnection> open_system_bus()
{
    return opened("the system bus", [] { return sdbus::createSystemBusConnection(); });
}

std::unique_ptr<sdbus::IConnection> open_bus(const std::string& address)
{
    return opened("the bus at " + address, [&] { return sdbus::createSessionBusConnectionWithAddress(address); });
}

namespace {

struct PollWish {
    int fd;
    short events;
    std::uint64_t deadline;  ///< on CLOCK_MONOTONIC, in microseconds; UINT64_MAX: none
};

PollWish poll_wish(const sdbus::IConnection& connection)
{
    const auto poll = connection.getEventLoopPollData();
#ifdef BANGER_SDBUS_2
    const bool endless = poll.timeout == std::chrono::microseconds::max() || poll.timeout.count() < 0;
    return {poll.fd, poll.events, endless ? UINT64_MAX : static_cast<std::uint64_t>(poll.timeout.count())};
#else
    return {poll.fd, poll.events, poll.timeout_usec};
#endif
}

bool process_one(sdbus::IConnection& connection)
{
#ifdef BANGER_SDBUS_2
    return connection.processPendingEvent();
#else
    return connection.processPendingRequest();
#endif
}

}  // namespace

/// An io and a timer source follow the connection's poll data, refreshed before each poll. 1.2 has no sd-event support; that of 2.x
/// leaves the loop in silence when the bus is gone. What else it polls there, an eventfd, is for calls from other threads, which we don't make.
struct LoopAttachment::State {
    static constexpr int messages_a_turn = 64;

    sdbus::IConnection* connection{nullptr};
    c_ptr<sd_event_source, sd_event_source_disable_unref> io;
    c_ptr<sd_event_source, sd_event_source_disable_unref> timer;

    std::function<void()> lost;

    void process() noexcept
    {
        try {
            // The rest is for the next turn (the timer is due at once then), so that a flood of messages stops nothing else of the loop.
            for (int message = 0; message < messages_a_turn && process_one(*connection); ++message) {
            }
        } catch (const sdbus::Error&) {  // only a broken connection comes here: handlers answer for themselves
            end();
        }
    }
    void end() noexcept
    {
        sd_event_source_set_enabled(io.get(), SD_EVENT_OFF);
        sd_event_source_set_enabled(timer.get(), SD_EVENT_OFF);
        if (const auto call = std::exchange(lost, nullptr)) {
            call();
        }
    }
    /// In C's hands. A connection that can't even say what it waits for is lost.
    void refresh() noexcept
    {
        if (!lost) {
            return;
        }
        try {
            follow(poll_wish(*connection));
        } catch (const sdbus::Error&) {
            end();
        }
    }
    void follow(const PollWish& poll) noexcept
    {
        // POLLIN/OUT equal EPOLLIN/OUT
        sd_event_source_set_io_events(io.get(), static_cast<std::uint32_t>(poll.events));
        const bool endless = poll.deadline == UINT64_MAX;
        if (!endless) {
            sd_event_source_set_time(timer.get(), poll.deadline);
        }
        sd_event_source_set_enabled(timer.get(), endless ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
    }
};

LoopAttachment::LoopAttachment(sdbus::IConnection& connection, EventLoop& loop, std::function<void()> lost)
    : state_{std::make_unique<State>()}
{
    state_->lost = std::move(lost);
    state_->connection = &connection;
    const auto poll = poll_wish(connection);
    sd_event_source* source = nullptr;
    int result = sd_event_add_io(
        loop.get(), &source, poll.fd, EPOLLIN,
        [](sd_event_source*, int, std::uint32_t, void* state) {
            static_cast<State*>(state)->process();
            return 0;
        },
        state_.get());
    state_->io.reset(source);
    if (result >= 0) {
        result = sd_event_add_time(
            loop.get(), &source, CLOCK_MONOTONIC, UINT64_MAX, 1,
            [](sd_event_source*, std::uint64_t, void* state) {
                static_cast<State*>(state)->process();
                return 0;
            },
            state_.get());
        state_->timer.reset(source);
    }
    if (result >= 0) {
        result = sd_event_source_set_prepare(state_->io.get(), [](sd_event_source*, void* state) {
            static_cast<State*>(state)->refresh();
            return 0;
        });
    }
    if (result < 0) {
        throw errno_error("can't attach the bus to the event loop", -result, ErrorCode::Internal);
    }
}

LoopAttachment::~LoopAttachment() = default;

UniqueFd take_fd(sdbus::UnixFd&& fd)
{
    UniqueFd taken{fd.release()};
    if (!taken || ::fcntl(taken.get(), F_SETFD, FD_CLOEXEC) < 0) {
        throw Error{ErrorCode::InvalidArgument, "a descriptor of the message can't be used"};
    }
    return taken;
}

sdbus::UnixFd give_fd(UniqueFd&& fd) { return sdbus::UnixFd{fd.release(), sdbus::adopt_fd}; }

sdbus::Error to_bus_error(const Error& error)
{
    const auto name = std::string{error_info(error.code()).dbus_name};
    const auto sentence =
        to_utf8(error.what());  // sd-bus sends no other, and then the caller would get no answer at all
#ifdef BANGER_SDBUS_2
    return sdbus::Error{sdbus::Error::Name{name}, sentence};
#else
    return sdbus::Error{name, sentence};
#endif
}

Error from_bus_error(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    if (const auto code = error_code_of(name)) {
        return Error{*code, error.getMessage()};
    }
    const bool gone =
        name == "org.freedesktop.DBus.Error.ServiceUnknown" || name == "org.freedesktop.DBus.Error.NoReply" ||
        name == "org.freedesktop.DBus.Error.Disconnected" || name == "org.freedesktop.DBus.Error.NameHasNoOwner";
    if (name == "org.freedesktop.DBus.Error.UnknownObject") {
        return Error{ErrorCode::NotFound, error.getMessage()};
    }
    return Error{gone ? ErrorCode::Unavailable : ErrorCode::Failed, error.getMessage()};
}

namespace {

/// Of the message that an object or a proxy is handling.
template <typename Handler>
std::string current_sender(Handler& handler)
{
#ifdef BANGER_SDBUS_2
    const char* const sender = handler.getCurrentlyProcessedMessage().getSender();
    std::string name{sender != nullptr ? sender : ""};
#else
    const auto* const message = handler.getCurrentlyProcessedMessage();
    std::string name{message != nullptr ? message->getSender() : std::string{}};
#endif
    if (name.empty()) {
        throw Error{ErrorCode::Internal, "no message of a connection is being handled"};
    }
    return name;
}

constexpr auto daemon_name = "org.freedesktop.DBus";

/// The bus itself has no unique name, so nobody else can send as it.
bool is_of_the_bus(const sdbus::Message& message)
{
#ifdef BANGER_SDBUS_2
    const char* const sender = message.getSender();
    return sender != nullptr && std::string_view{sender} == daemon_name;
#else
    return message.getSender() == daemon_name;
#endif
}

}  // namespace

std::string sender_of(sdbus::IObject& object) { return current_sender(object); }

std::string sender_of(sdbus::IProxy& proxy) { return current_sender(proxy); }

struct NameOwner::State {
    std::string name;
    std::function<void(const std::string&)> changed;
    std::string owner;
    std::unique_ptr<sdbus::IProxy> bus;
    sdbus::Slot match;

    void set(std::string now)
    {
        owner = std::move(now);
        changed(owner);
    }
    void on_change(sdbus::Message& message)
    {
        std::string which;
        std::string before;
        std::string after;
        message >> which >> before >> after;
        if (which == name && is_of_the_bus(message)) {
            set(std::move(after));
        }
    }
};

NameOwner::NameOwner(sdbus::IConnection& connection, std::string name, std::function<void(const std::string&)> changed)
    : state_{std::make_unique<State>()}
{
    const auto rule = std::string{"type='signal',sender='"} + daemon_name + "',interface='" + daemon_name +
                      "',member='NameOwnerChanged',arg0='" + name + "'";
    state_->name = std::move(name);
    state_->changed = std::move(changed);
    state_->match = on_messages(connection, rule, [state = state_.get()](sdbus::Message& message) {
        try {
            state->on_change(message);
        } catch (const sdbus::Error&) {  // NOLINT(bugprone-empty-catch): not what the bus sends
        }
    });
    // After the match, so that no change falls in between; the bus keeps the order.
    state_->bus = sdbus::createProxy(connection, ServiceName{daemon_name}, sdbus::ObjectPath{"/org/freedesktop/DBus"});
    state_->bus->callMethodAsync("GetNameOwner")
        .onInterface(daemon_name)
        .withArguments(state_->name)
        .uponReplyInvoke([state = state_.get()](MaybeError error, const std::string& owner) {
            state->set(error ? std::string{} : owner);  // an error says that nobody has the name
        });
}

NameOwner::~NameOwner() = default;

const std::string& NameOwner::now() const noexcept { return state_->owner; }

void emit_changed(sdbus::IObject& object, const char* interface, std::initializer_list<const char*> properties)
{
    std::vector<PropertyName> names;
    for (const char* name : properties) {
        names.emplace_back(name);
    }
    object.emitPropertiesChangedSignal(InterfaceName{interface}, names);
}

sdbus::Slot on_messages(sdbus::IConnection& connection, const std::string& rule,
                        std::function<void(sdbus::Message&)> arrived)
{
#ifdef BANGER_SDBUS_2
    return connection.addMatch(
        rule, [arrived = std::move(arrived)](sdbus::Message message) { arrived(message); }, sdbus::return_slot);
#else
    return connection.addMatch(rule, std::move(arrived));
#endif
}

void request_name(sdbus::IConnection& connection, const std::string& name)
{
    try {
        connection.requestName(ServiceName{name});
    } catch (const sdbus::Error& error) {
        throw Error{ErrorCode::AlreadyExists, "the bus name " + name + " can't be had: " + error.getMessage()};
    }
}

void release_name(sdbus::IConnection& connection, const std::string& name) noexcept
{
    try {
        connection.releaseName(ServiceName{name});
    } catch (const sdbus::Error&) {  // NOLINT(bugprone-empty-catch): a bus that is gone has no names
    }
}

}  // namespace banger::bus
