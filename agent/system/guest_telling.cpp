// SPDX-License-Identifier: GPL-2.0-or-later
// What GuestSession tells a guest by itself: its settings, the names of the user's other VMs, the time.
#include <sys/random.h>

#include <ctime>

#include "agent/core/operation.hpp"
#include "agent/system/guest_session.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t seed_size = 64;

std::string random_seed()
{
    std::string seed(seed_size, '\0');
    return ::getrandom(seed.data(), seed.size(), 0) == static_cast<ssize_t>(seed.size()) ? seed : std::string{};
}

std::int64_t clock_ns()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

std::vector<wire::HostEntry> entries_of(const std::vector<HostName>& names)
{
    std::vector<wire::HostEntry> entries;
    for (const auto& [name, address] : names) {
        if (entries.size() < wire::Hosts::most) {
            entries.push_back({.address = address, .name = name + ".vm"});
        }
    }
    return entries;
}

}  // namespace

void GuestSession::configure()
{
    settings_.keep = true;  // from now on a reconnection finds it configured, or anew
    later([this] {
        spawn(configure_now(), [](std::exception_ptr) {});  // a failure shows as a guest that never gets ready
    });
}

Task<void> GuestSession::configure_now()
{
    wire::Configure message;
    if (!settings_.network.address.empty()) {
        message.network =
            wire::Network{.mac = settings_.network.vmm.mac,
                          .address = settings_.network.address + "/" + std::to_string(settings_.network.prefix),
                          .gateway = settings_.network.gateway,
                          .dns = settings_.network.dns,
                          .search = {}};
    }
    message.hosts = entries_of(names_.value_or(std::vector<HostName>{}));
    message.authorized_keys = settings_.authorized_keys;
    message.unix_ns = clock_ns();
    time_due_ = false;
    message.entropy = random_seed();
    co_await request(std::move(message), limits_.request);
}

void GuestSession::tell_names(std::vector<HostName> names)
{
    names_ = std::move(names);
    send_names();
}

/// One request at a time, as the guest may answer two in either order.
void GuestSession::send_names()
{
    if (sending_names_ || !names_ || names_ == told_names_ || !mux_ || !mux_->synced()) {
        return;
    }
    sending_names_ = true;
    spawn(send_names_now(), [this, alive = std::weak_ptr{alive_}](std::exception_ptr failure) {
        if (!alive.lock()) {
            return;
        }
        sending_names_ = false;
        if (!failure) {
            send_names();  // they may have changed meanwhile
        }
    });
}

Task<void> GuestSession::send_names_now()
{
    const std::weak_ptr alive{alive_};
    const auto names = *names_;
    wire::RequestBody message{wire::Hosts{entries_of(names)}};
    co_await request(std::move(message), limits_.request);
    if (alive.lock()) {
        told_names_ = names;
    }
}

void GuestSession::tell_time()
{
    time_due_ = true;
    send_time();
}

/// Of the moment at which it goes out. One that is lost on the way is due again with the next connection; a guest that refuses it, or that
/// hangs, is not asked again.
void GuestSession::send_time()
{
    if (telling_time_ || !time_due_ || !mux_ || !mux_->synced()) {
        return;
    }
    telling_time_ = true;
    time_due_ = false;
    spawn(send_time_now(), [this, alive = std::weak_ptr{alive_}](std::exception_ptr failure) {
        if (!alive.lock()) {
            return;
        }
        telling_time_ = false;
        time_due_ = time_due_ || (failure && to_error(failure).code() == ErrorCode::Unavailable);
        send_time();  // the host may have slept again meanwhile
    });
}

Task<void> GuestSession::send_time_now()
{
    wire::RequestBody message{wire::Clock{clock_ns()}};
    co_await request(std::move(message), limits_.request);
}

}  // namespace banger::agent
