// SPDX-License-Identifier: GPL-2.0-or-later
#include "dbus/compat/bus.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>

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

#ifdef BANGER_SDBUS_2

struct LoopAttachment::State {
    sdbus::IConnection* connection;
};

LoopAttachment::LoopAttachment(sdbus::IConnection& connection, EventLoop& loop, std::function<void()> lost)
    : state_{std::make_unique<State>(State{&connection})}
{
    static_cast<void>(lost);  // sd-bus leaves the loop by itself there (sd_bus_set_exit_on_disconnect)
    connection.attachSdEventLoop(loop.get(), 0);
}

LoopAttachment::~LoopAttachment() { state_->connection->detachSdEventLoop(); }

#else

/// 1.2 has no sd-event support: an io and a timer source follow its poll data, refreshed before each poll.
struct LoopAttachment::State {
    sdbus::IConnection* connection{nullptr};
    c_ptr<sd_event_source, sd_event_source_disable_unref> io;
    c_ptr<sd_event_source, sd_event_source_disable_unref> timer;

    std::function<void()> lost;

    void process() noexcept
    {
        try {
            while (connection->processPendingRequest()) {
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
    void refresh()
    {
        if (!lost) {
            return;
        }
        const auto poll = connection->getEventLoopPollData();
        // POLLIN/OUT equal EPOLLIN/OUT
        sd_event_source_set_io_events(io.get(), static_cast<std::uint32_t>(poll.events));
        const bool endless = poll.timeout_usec == UINT64_MAX;
        if (!endless) {
            sd_event_source_set_time(timer.get(), poll.timeout_usec);
        }
        sd_event_source_set_enabled(timer.get(), endless ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
    }
};

LoopAttachment::LoopAttachment(sdbus::IConnection& connection, EventLoop& loop, std::function<void()> lost)
    : state_{std::make_unique<State>()}
{
    state_->lost = std::move(lost);
    state_->connection = &connection;
    const auto poll = connection.getEventLoopPollData();
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

#endif

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

std::string sender_of(sdbus::IObject& object)
{
#ifdef BANGER_SDBUS_2
    const char* const sender = object.getCurrentlyProcessedMessage().getSender();
    std::string name{sender != nullptr ? sender : ""};
#else
    const auto* const message = object.getCurrentlyProcessedMessage();
    std::string name{message != nullptr ? message->getSender() : std::string{}};
#endif
    if (name.empty()) {
        throw Error{ErrorCode::Internal, "no message of a connection is being handled"};
    }
    return name;
}

void emit_changed(sdbus::IObject& object, const char* interface, std::initializer_list<const char*> properties)
{
    std::vector<PropertyName> names;
    for (const char* name : properties) {
        names.emplace_back(name);
    }
    object.emitPropertiesChangedSignal(InterfaceName{interface}, names);
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
