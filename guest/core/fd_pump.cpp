// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/fd_pump.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/error.hpp"

namespace banger::guest {
namespace {

/// What one source may move before others get their turn.
constexpr int reads_per_event = 4;

bool would_block(int error) noexcept { return error == EAGAIN || error == EINTR; }

}  // namespace

void set_nonblocking(int fd)
{
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        throw errno_error("fcntl", errno);
    }
}

void FdSink::start(int fd, OnEnd at_end)
{
    fd_ = fd;
    at_end_ = std::move(at_end);
    watch_ = loop_.watch(fd, 0, [this](std::uint32_t) { flush(); });
    flush();
}

void FdSink::data(wire::ByteView data)
{
    if (!stopped_ && fd_ >= 0 && waiting_.empty()) {
        data = data.subspan(write_out(data));  // most of the time all of it, without a copy
    }
    if (stopped_) {
        link_.consume(data.size());
    } else if (!data.empty()) {
        waiting_.insert(waiting_.end(), data.begin(), data.end());
        watch_.set_events(EPOLLOUT);
    }
}

/// How much of it went.
std::size_t FdSink::write_out(wire::ByteView data)
{
    std::size_t count = 0;
    while (count < data.size()) {
        const auto result = ::write(fd_, data.data() + count, data.size() - count);
        if (result < 0 && errno == EINTR) {
            continue;
        }
        if (result < 0) {
            if (errno != EAGAIN) {
                broken_ = true;
                stop();  // the stream goes on without it
            }
            break;
        }
        count += static_cast<std::size_t>(result);
    }
    link_.consume(count);
    return count;
}

void FdSink::flush()
{
    const auto count = write_out(wire::ByteView{waiting_}.subspan(written_));
    if (stopped_) {
        finish();  // nobody reads what was left, so this is the end
        return;
    }
    written_ += count;
    if (written_ == waiting_.size()) {
        waiting_.clear();
        written_ = 0;
        watch_.set_events(0);
        if (eof_) {
            finish();
        }
        return;
    }
    if (written_ > wire::stream_window / 2) {
        waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(written_));
        written_ = 0;
    }
    watch_.set_events(EPOLLOUT);
}

void FdSink::eof()
{
    eof_ = true;
    if (fd_ >= 0 && waiting_.empty()) {
        finish();
    }
}

void FdSink::finish()
{
    if (const auto at_end = std::exchange(at_end_, nullptr)) {
        stop();
        at_end();
    }
}

void FdSink::stop() noexcept
{
    stopped_ = true;
    watch_.reset();
    link_.consume(waiting_.size() - written_);
    waiting_.clear();
    written_ = 0;
}

void FdSource::start(int fd, std::function<void()> at_end)
{
    fd_ = fd;
    at_end_ = std::move(at_end);
    watch_ = loop_.watch(fd, EPOLLIN, [this](std::uint32_t) { pump(); });
}

void FdSource::writable()
{
    if (!done()) {
        pump();
    }
}

void FdSource::pump()
{
    std::array<std::uint8_t, 65536> buffer;  // NOLINT: filled by read
    for (int round = 0; round < reads_per_event; ++round) {
        const std::size_t room = discarding_ ? buffer.size() : std::min(link_.room(), buffer.size());
        if (room == 0) {
            watch_.set_events(0);
            return;
        }
        const auto count = ::read(fd_, buffer.data(), room);
        if (count < 0 && would_block(errno)) {
            if (last_) {
                ended();
                return;
            }
            break;
        }
        if (count <= 0) {  // EIO is how a terminal says that its last user left
            ended();
            return;
        }
        if (!discarding_) {
            link_.write(wire::ByteView{buffer}.first(static_cast<std::size_t>(count)));
        }
    }
    watch_.set_events(EPOLLIN);
    if (last_) {
        loop_.defer([this, alive = std::weak_ptr<int>{alive_}] {
            if (!alive.expired() && !done()) {
                pump();
            }
        });
    }
}

void FdSource::finish_when_empty()
{
    last_ = true;
    writable();
}

void FdSource::discard()
{
    discarding_ = true;
    writable();
}

void FdSource::ended()
{
    stop();
    if (const auto at_end = std::exchange(at_end_, nullptr)) {
        at_end();
    }
}

void FdSource::stop() noexcept
{
    watch_.reset();
    fd_ = -1;
}

}  // namespace banger::guest
