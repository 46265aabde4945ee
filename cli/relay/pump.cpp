// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/pump.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace banger::cli {

bool is_ready(const PollList& polls, int fd) noexcept
{
    for (const auto& entry : polls) {
        if (entry.fd == fd && entry.revents != 0) {
            return true;
        }
    }
    return false;
}

void InputPump::add_to(PollList& polls) const
{
    if (ended_) {
        return;
    }
    if (begin_ == end_) {
        polls.push_back({source_, POLLIN, 0});
        polls.push_back({socket_.get(), 0, 0});  // POLLHUP: the command reads no more
    } else {
        polls.push_back({socket_.get(), POLLOUT, 0});
    }
}

void InputPump::move(const PollList& polls)
{
    if (ended_) {
        return;
    }
    if (begin_ != end_) {
        if (is_ready(polls, socket_.get())) {
            send_some();
        }
    } else if (is_ready(polls, socket_.get())) {
        ended_ = true;
        socket_.reset();
    } else if (is_ready(polls, source_)) {
        read_source();
    }
}

void InputPump::read_source()
{
    const auto got = ::read(source_, buffer_.data(), buffer_.size());
    if (got > 0) {
        begin_ = 0;
        end_ = static_cast<std::size_t>(got);
        send_some();
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        end();  // a stream that can't be read is as good as an empty one
    }
}

void InputPump::send_some()
{
    const auto sent = ::send(socket_.get(), buffer_.data() + begin_, end_ - begin_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
        begin_ += static_cast<std::size_t>(sent);
    } else if (errno != EAGAIN && errno != EINTR) {
        end();  // the command closed its standard input; that is its affair
    }
}

void InputPump::end()
{
    ended_ = true;
    ::shutdown(socket_.get(), SHUT_WR);
}

void OutputPump::add_to(PollList& polls) const
{
    if (state_ == State::Open) {
        polls.push_back(begin_ == end_ ? pollfd{socket_.get(), POLLIN, 0} : pollfd{sink_.fd(), POLLOUT, 0});
    }
}

void OutputPump::move(const PollList& polls)
{
    if (state_ != State::Open) {
        return;
    }
    if (begin_ != end_) {
        if (is_ready(polls, sink_.fd())) {
            write_some();
        }
    } else if (is_ready(polls, socket_.get())) {
        receive();
    }
}

void OutputPump::receive()
{
    const auto got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got > 0) {
        begin_ = 0;
        end_ = discarding_ ? 0 : static_cast<std::size_t>(got);
        write_some();
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        state_ = State::Ended;
        socket_.reset();
    }
}

void OutputPump::write_some()
{
    while (begin_ != end_) {
        const auto written = sink_.write({buffer_.data() + begin_, end_ - begin_});
        if (!written) {
            problem_ = errno;
            state_ = State::Broken;
            return;
        }
        if (*written == 0) {
            return;
        }
        begin_ += *written;
    }
}

void OutputPump::discard() noexcept
{
    discarding_ = true;
    begin_ = end_;
    if (state_ == State::Broken) {
        state_ = socket_ ? State::Open : State::Ended;
    }
}

}  // namespace banger::cli
