// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>

#include "guest/wire/messages.hpp"

namespace banger::guest {

/// What stands behind one stream that the host opened. Owned by the Server, which removes it once finished() is true.
class Session {
public:
    enum class Gone {
        Closed,  ///< the host closed the stream
        Lost,    ///< the host is gone; perhaps it was killed
    };

    virtual ~Session() = default;
    /// `stream` is one of those that the session was opened with.
    virtual void on_data(wire::StreamId stream, wire::ByteView data) = 0;
    virtual void on_eof(wire::StreamId stream) = 0;
    virtual void on_writable(wire::StreamId stream) = 0;
    virtual void on_message(const wire::StreamMessage& message) = 0;
    /// The stream can't be used any more.
    virtual void on_gone(wire::StreamId stream, Gone how) = 0;
    /// The guest shuts down: end soon.
    virtual void on_shutdown() {}
    virtual bool finished() const = 0;
};

}  // namespace banger::guest
