// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>

#include "common/unique_fd.hpp"
#include "guest/core/link.hpp"
#include "guest/core/loop.hpp"

namespace banger::guest {

/// Throws Failed.
void set_nonblocking(int fd);

/// Writes what a stream brings to a descriptor. Holds at most one stream window.
class FdSink {
public:
    /// What closes the descriptor after the stream's end of data.
    using OnEnd = std::function<void()>;
    FdSink(Loop& loop, Link& link) noexcept : loop_{loop}, link_{link} {}

    /// `fd` is non-blocking and stays the caller's; `at_end` runs once after the last byte was written, or
    /// when the reader went while bytes waited.
    void start(int fd, OnEnd at_end);
    void data(wire::ByteView data);
    void eof();
    /// Drops what is left, and what comes.
    void stop() noexcept;
    /// The reader of the descriptor is gone.
    bool broken() const noexcept { return broken_; }

private:
    std::size_t write_out(wire::ByteView data);
    void flush();
    void finish();

    Loop& loop_;
    Link& link_;
    int fd_{-1};
    bool stopped_{false};
    bool broken_{false};
    bool eof_{false};
    OnEnd at_end_;
    wire::Bytes waiting_;
    std::size_t written_{0};  ///< of waiting_
    Loop::Watch watch_;
};

/// Sends what a descriptor gives to a stream, as fast as the stream's credit allows.
class FdSource {
public:
    FdSource(Loop& loop, Link& link) noexcept : loop_{loop}, link_{link} {}

    /// `fd` is non-blocking and stays the caller's; `at_end` runs once at its end of file.
    void start(int fd, std::function<void()> at_end);
    /// The stream has room again.
    void writable();
    /// Nothing new is to be expected: ends as soon as there is nothing to read now, even if others hold the pipe.
    void finish_when_empty();
    /// Reads on, to nowhere.
    void discard();
    void stop() noexcept;
    bool done() const noexcept { return fd_ < 0; }

private:
    void pump();
    void ended();

    Loop& loop_;
    Link& link_;
    int fd_{-1};
    bool last_{false};
    bool discarding_{false};
    std::function<void()> at_end_;
    std::shared_ptr<int> alive_{std::make_shared<int>()};
    Loop::Watch watch_;
};

}  // namespace banger::guest
