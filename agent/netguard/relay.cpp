// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/relay.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"

namespace banger::netguard {
namespace {

Relay::Transfer transfer_of(ssize_t result) noexcept
{
    if (result > 0) {
        return {Relay::Flow::Moved, static_cast<std::size_t>(result)};
    }
    const bool later = result < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS);
    return {later ? Relay::Flow::Blocked : Relay::Flow::Ended, 0};
}

Relay::Transfer receive(const UniqueFd& from, std::span<std::byte> room) noexcept
{
    return transfer_of(::recv(from.get(), room.data(), room.size(), MSG_DONTWAIT));
}

Relay::Transfer send(const UniqueFd& to, std::span<const std::byte> bytes) noexcept
{
    return transfer_of(::send(to.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

constexpr short closed = POLLHUP | POLLRDHUP | POLLERR | POLLNVAL;

/// poll(2) for one side, which is read while what it says has somewhere to go, and written to while there is something for it.
pollfd source(const UniqueFd& side, bool other_full, bool full) noexcept
{
    return {side.get(), static_cast<short>(POLLRDHUP | (other_full ? 0 : POLLIN) | (full ? POLLOUT : 0)), 0};
}

bool has(const pollfd& source, int events) noexcept { return (source.revents & events) != 0; }

}  // namespace

Relay::Relay(UniqueFd vmm, UniqueFd passt, const Rules& rules, Watch watch)
    : vmm_{std::move(vmm)},
      passt_{std::move(passt)},
      rules_{&rules},
      watch_{std::move(watch)},
      buffer_{std::make_unique<std::byte[]>(capacity)}
{
    // A write is refused, not cut, only up to half of this (unix_stream_sendmsg); the default depends on the host's settings.
    constexpr int room = 4 * FrameStream::run_limit;
    ::setsockopt(passt_.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

void Relay::run()
{
    for (;;) {
        const bool vmm_full = begin_ < end_;
        std::array<pollfd, 3> sources{
            {source(vmm_, passt_full_, vmm_full), source(passt_, vmm_full, passt_full_), {watch_.fd, POLLIN, 0}}};
        if (::poll(sources.data(), sources.size(), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw errno_error("can't wait for frames", errno);
        }
        const auto& [vmm, passt, watched] = sources;
        if (watched.revents != 0) {
            watch_.changed();  // before the frames that came meanwhile
        }
        if (has(vmm, closed) || has(passt, closed)) {
            return finish(has(vmm, closed), has(passt, closed));
        }
        if (((has(vmm, POLLIN) || has(passt, POLLOUT)) && to_passt() == Flow::Ended) ||
            ((has(passt, POLLIN) || has(vmm, POLLOUT)) && to_vmm() == Flow::Ended)) {
            return;
        }
    }
}

/// Hands on what a side said before it closed, as far as the other takes it at once. There is an end to that: no more can come.
void Relay::finish(bool vmm_closed, bool passt_closed)
{
    while (vmm_closed && to_passt() == Flow::Moved) {
    }
    while (passt_closed && to_vmm() == Flow::Moved) {
    }
}

Relay::Flow Relay::to_passt()
{
    if (stream_.run(*rules_).empty()) {
        const auto got = receive(vmm_, stream_.room());
        if (got.flow != Flow::Moved) {
            return got.flow;
        }
        stream_.arrived(got.bytes);
    }
    for (auto run = stream_.run(*rules_); !run.empty(); run = stream_.run(*rules_)) {
        const auto sent = send(passt_, run);
        passt_full_ = sent.flow == Flow::Blocked;
        if (sent.flow != Flow::Moved) {
            return sent.flow;
        }
        stream_.sent(sent.bytes);
    }
    return Flow::Moved;
}

Relay::Flow Relay::to_vmm()
{
    if (begin_ == end_) {
        const auto got = receive(passt_, {buffer_.get(), capacity});
        if (got.flow != Flow::Moved) {
            return got.flow;
        }
        begin_ = 0;
        end_ = got.bytes;
    }
    const auto sent = send(vmm_, {buffer_.get() + begin_, end_ - begin_});
    begin_ += sent.bytes;
    return sent.flow;
}

}  // namespace banger::netguard
