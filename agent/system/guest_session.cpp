// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/guest_session.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "agent/core/operation.hpp"
#include "agent/system/guest_answers.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{3'000};
constexpr std::size_t read_size = std::size_t{256} << 10U;

Error unavailable(const std::string& why)
{
    return Error{ErrorCode::Unavailable, "the guest does not answer: " + why + "; banger vm logs shows its console"};
}

}  // namespace

GuestSession::GuestSession(EventLoop& loop, GuestDoor door, GuestSettings settings, GuestLinkEvents events,
                           GuestLimits limits)
    : loop_{&loop},
      door_{std::move(door)},
      settings_{std::move(settings)},
      events_{std::move(events)},
      limits_{limits},
      pause_{first_pause}
{
    listen_for_knocks();
    connect_now();
}

GuestSession::~GuestSession()
{
    alive_.reset();
    lose_connection("the VM ended");
    const auto failure = std::make_exception_ptr(unavailable("the VM ended"));
    loop_->post([waiting = std::move(waiting_for_sync_), failure] {
        for (const auto& one : waiting) {
            one.fail(failure);
        }
    });
}

void GuestSession::connect_now()
{
    try {
        channel_ = door_.connect();
    } catch (const Error&) {
        lose_connection("its VMM takes no connection");
        return;
    }
    mux_ = std::make_unique<wire::Mux>(static_cast<wire::MuxHandler&>(*this), wire::Epoch::random());
    channel_source_ = loop_->on_io(channel_.get(), EPOLLIN, [this](std::uint32_t events) { on_channel(events); });
    channel_events_ = EPOLLIN;
    waiting_for_output_ = false;
    flush();
}

/// Ends every stream and request, and tries again later (unless this is being destroyed).
void GuestSession::lose_connection(std::string_view why)
{
    channel_source_.reset();
    channel_.reset();
    handshake_.reset();
    told_names_.reset();
    lost_ = false;
    if (!bridges_.empty()) {
        last_use_ = std::chrono::steady_clock::now();
    }
    const auto bridges = std::exchange(bridges_, {});
    const auto opening = std::exchange(opening_, {});
    const auto requests = std::exchange(requests_, {});
    primary_of_.clear();
    mux_.reset();
    for (const auto& [id, bridge] : bridges) {
        bridge->on_lost(limits_.unread);
    }
    const auto failure = std::make_exception_ptr(unavailable(std::string{why}));
    // By the loop, as those who wait may do anything, also end this; and a bridge may be the caller.
    loop_->post([bridges, opening, requests, failure] {
        for (const auto& [id, waiting] : opening) {
            waiting.opened.fail(failure);
        }
        for (const auto& [id, waiting] : requests) {
            waiting.fail(failure);
        }
    });
    if (alive_) {
        reconnect_ = loop_->after(pause_, [this] { connect_now(); });
        pause_ = std::min(pause_ + pause_ / 4,
                          longest_pause);  // so that a guest without knocks is heard at most a quarter late
    }
}

void GuestSession::listen_for_knocks()
{
    if (door_.knocks) {
        knock_source_ = loop_->on_io(door_.knocks.get(), EPOLLIN, [this](std::uint32_t) { on_knock(); });
    }
}

/// The guest has come to its end anew, or whoever in it may make a vsock socket says so. A connection that waits for its answer leads
/// nowhere then; one that is up has mostly ended by itself, and is asked.
void GuestSession::on_knock()
{
    while (UniqueFd{::accept4(door_.knocks.get(), nullptr, nullptr, SOCK_CLOEXEC)}) {
    }
    // A guest that knocks without end costs us no more than one that breaks the protocol.
    knock_source_.reset();
    knock_rest_ = loop_->after(first_pause, [this] { listen_for_knocks(); });
    if (mux_ && mux_->synced()) {
        probe();
    } else {
        begin_anew();
    }
}

void GuestSession::begin_anew()
{
    lose_connection("it began anew");
    reconnect_.reset();
    connect_now();
}

void GuestSession::probe()
{
    if (std::exchange(probing_, true)) {
        return;
    }
    spawn(probe_now(), [this, alive = std::weak_ptr{alive_}](std::exception_ptr failure) {
        if (!alive.lock()) {
            return;
        }
        probing_ = false;
        if (failure && to_error(failure).code() == ErrorCode::TimedOut) {
            begin_anew();
        }
    });
}

Task<void> GuestSession::probe_now()
{
    wire::RequestBody message{wire::Ping{}};
    co_await request(std::move(message), limits_.knock);
}

void GuestSession::on_channel(std::uint32_t events)
{
    const bool ended = (events & (EPOLLHUP | EPOLLERR)) != 0;
    if (ended && !mux_->wants_input()) {
        lose_connection("its VMM closed the channel");  // unread bytes are no use: nobody is there for our answers
        return;
    }
    if (ended || (events & EPOLLIN) != 0) {
        read_channel();
    }
    if (mux_ && (events & EPOLLOUT) != 0) {
        waiting_for_output_ = false;
        flush();
    }
}

/// Level-triggered, so nothing may be asked for that isn't dealt with: a guest that sends and never reads would keep us busy.
void GuestSession::watch_channel()
{
    const std::uint32_t wanted = (mux_->wants_input() ? EPOLLIN : 0U) | (waiting_for_output_ ? EPOLLOUT : 0U);
    if (wanted != channel_events_) {
        channel_events_ = wanted;
        channel_source_.set_io_events(wanted);
    }
}

bool GuestSession::read_channel()
{
    static std::array<std::uint8_t, read_size> buffer;  // the loop's thread only
    if (!mux_->wants_input()) {
        return false;  // its answers must go out first
    }
    const auto got = ::read(channel_.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0) {
        lose_connection("its VMM closed the channel");
        return false;
    }
    in_mux_ = true;
    mux_->feed(wire::ByteView{buffer.data(), static_cast<std::size_t>(got)});
    in_mux_ = false;
    after_mux();
    return true;
}

/// The end of a VMM is seen as soon as its last bytes, in either order.
std::optional<GuestGoodbye> GuestSession::last_goodbye()
{
    while (mux_ && read_channel()) {
    }
    return goodbye_;
}

void GuestSession::after_mux()
{
    if (lost_) {
        lose_connection("it broke the protocol");
        return;
    }
    flush();
    if (mux_->synced()) {
        handshake_.reset();
    } else if (!handshake_) {
        handshake_ = loop_->after(limits_.handshake, [this] { lose_connection("it does not answer the handshake"); });
    }
}

void GuestSession::flush()
{
    if (in_mux_ || !mux_ || waiting_for_output_) {
        return;
    }
    in_mux_ = true;  // sent() calls on_writable(), which calls flush()
    while (mux_->wants_write()) {
        const auto output = mux_->output();
        const auto written = ::write(channel_.get(), output.data(), output.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            waiting_for_output_ = errno == EAGAIN;
            break;  // any other error comes again with the next read
        }
        mux_->sent(static_cast<std::size_t>(written));
    }
    in_mux_ = false;
    watch_channel();
}

void GuestSession::later(std::function<void()> call)
{
    loop_->post([alive = std::weak_ptr{alive_}, call = std::move(call)] {
        if (alive.lock()) {
            call();
        }
    });
}

void GuestSession::on_synced(wire::ByteView hello)
{
    try {
        const auto greeting = wire::decode_hello(hello);
        pause_ = first_pause;
        later([this] {
            for (const auto& waiting : std::exchange(waiting_for_sync_, {})) {
                waiting.set(Unit{});
            }
        });
        if (settings_.keep && greeting.ready) {
            tell_ready();
        } else {
            configure();
        }
    } catch (const Error&) {
        lost_ = true;
    }
}

void GuestSession::tell_ready()
{
    if (!std::exchange(was_ready_, true)) {  // said again it is no use of the VM: only the guest wants it to live on
        last_use_ = std::chrono::steady_clock::now();
    }
    later([this] {
        send_time();
        send_names();
        events_.ready();
    });
}

std::chrono::steady_clock::time_point GuestSession::last_use() const noexcept
{
    return bridges_.empty() ? last_use_ : std::chrono::steady_clock::now();
}

void GuestSession::on_lost(std::string_view) { lost_ = true; }

void GuestSession::on_control(wire::ByteView payload)
{
    try {
        auto control = wire::decode_control(payload);
        if (auto* response = std::get_if<wire::Response>(&control)) {
            const auto at = requests_.find(response->id);
            if (at != requests_.end()) {
                const auto waiting = at->second;
                requests_.erase(at);
                loop_->post([waiting, body = std::move(response->body)]() mutable { waiting.set(std::move(body)); });
            }
        } else if (std::holds_alternative<wire::Ready>(control)) {
            tell_ready();
        } else if (const auto* bye = std::get_if<wire::Bye>(&control)) {
            goodbye_ = bye->kind == wire::ShutdownKind::Reboot ? GuestGoodbye::Reboot : GuestGoodbye::PowerOff;
            later([this, goodbye = *goodbye_] { events_.goodbye(goodbye); });
        } else if (const auto* failed = std::get_if<wire::BootFailed>(&control)) {
            later([this, text = to_utf8(failed->text)] { events_.failed(text); });
        }
    } catch (const Error&) {
        lost_ = true;
    }
}

void GuestSession::require_synced() const
{
    if (!mux_ || !mux_->synced()) {
        throw unavailable("it is not up yet, or hangs");
    }
}

Task<wire::ResponseBody> GuestSession::request(wire::RequestBody body, milliseconds limit)
{
    require_synced();
    const auto id = next_request_++;
    Promise<wire::ResponseBody> answer;
    mux_->control(wire::encode(wire::Control{wire::Request{id, std::move(body)}}));
    requests_[id] = answer;
    flush();
    Rollback forget;  // when it is late; by then this may be gone, too
    forget.add([this, id, alive = std::weak_ptr{alive_}] {
        if (alive.lock()) {
            requests_.erase(id);
        }
    });
    auto response =
        co_await answer.wait(*loop_, limit, Error{ErrorCode::TimedOut, "the guest took too long to answer"});
    forget.commit();
    if (const auto* failure = std::get_if<wire::Failure>(&response)) {
        throw Error{ErrorCode::Failed, "the guest says: " + to_utf8(failure->text)};
    }
    co_return response;
}

/// A bangerd that has just come back is still connecting.
Task<void> GuestSession::synced(milliseconds limit)
{
    if (!mux_ || !mux_->synced()) {
        std::erase_if(waiting_for_sync_, [](const auto& one) { return !one.is_awaited(); });  // it was late
        Promise<Unit> turn;
        waiting_for_sync_.push_back(turn);
        co_await turn.wait(*loop_, limit, unavailable("it is not up yet, or hangs"));
        require_synced();  // it may have broken off again in the same breath
    }
}

Task<nlohmann::json> GuestSession::query(std::string what, Bytes argument)
{
    co_await synced(limits_.call);
    auto response = co_await request(guest_request(what, argument), limits_.request);
    co_return guest_answer(response);
}

Task<void> GuestSession::shut_down(milliseconds limit)
{
    const auto begin = std::chrono::steady_clock::now();
    co_await synced(limit);
    const auto spent = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    wire::RequestBody message{wire::Shutdown{wire::ShutdownKind::PowerOff}};
    co_await request(std::move(message), std::max(limit - spent, milliseconds{1}));
}

}  // namespace banger::agent
