// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"

namespace banger::guest {

/// A session's end of one stream. Once cut (the host closed it or is gone) all calls do nothing.
class Link {
public:
    Link(wire::Mux& mux, wire::StreamId stream) noexcept : mux_{&mux}, stream_{stream} {}

    wire::StreamId stream() const noexcept { return stream_; }
    bool up() const noexcept { return mux_ != nullptr; }
    void cut() noexcept { mux_ = nullptr; }

    std::size_t room() { return up() ? mux_->room(stream_) : 0; }
    std::size_t write(wire::ByteView data) { return up() ? mux_->write(stream_, data) : 0; }
    void consume(std::size_t count)
    {
        if (up()) {
            mux_->consume(stream_, count);
        }
    }
    void end()
    {
        if (up()) {
            mux_->end(stream_);
        }
    }
    void message(const wire::StreamMessage& message)
    {
        if (up()) {
            mux_->message(stream_, wire::encode(message));
        }
    }
    void accept(const wire::Opened& opened)
    {
        if (up()) {
            mux_->accept(stream_, wire::encode(opened));
        }
    }
    void refuse(const wire::Refused& refused)
    {
        if (up()) {
            mux_->refuse(stream_, wire::encode(refused));
            cut();
        }
    }
    /// Of a secondary stream, before its first one is refused.
    void drop()
    {
        if (up()) {
            mux_->drop_stream(stream_);
            cut();
        }
    }
    void close()
    {
        if (up()) {
            mux_->close(stream_);
            cut();
        }
    }

private:
    wire::Mux* mux_;
    wire::StreamId stream_;
};

}  // namespace banger::guest
