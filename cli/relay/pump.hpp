// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/relay/sink.hpp"
#include "common/unique_fd.hpp"

#include <array>
#include <cstddef>
#include <vector>

#include <poll.h>

namespace banger::cli {

/// What polls for: one descriptor, and what to look for.
using PollList = std::vector<pollfd>;

inline constexpr std::size_t pump_buffer_size = 65536;

/// The user's standard input on its way to a command's. At most one buffer is under way, so a command that doesn't read stops the reading.
class InputPump {
public:
    /// `source` stays the caller's; its end is passed on by shutting down `socket`'s write side.
    InputPump(int source, UniqueFd socket) : source_{source}, socket_{std::move(socket)} {}

    void add_to(PollList& polls) const;
    /// To be called after each poll.
    void move(const PollList& polls);

private:
    void read_source();
    void send_some();
    void end();

    int source_;
    UniqueFd socket_;
    bool ended_{false};
    std::size_t begin_{0};
    std::size_t end_{0};
    std::array<char, pump_buffer_size> buffer_;
};

/// A command's output on its way to one of the user's standard streams.
class OutputPump {
public:
    enum class State { Open, Ended, Broken };

    /// `target` stays the caller's.
    OutputPump(UniqueFd socket, int target) : socket_{std::move(socket)}, sink_{target} {}

    void add_to(PollList& polls) const;
    void move(const PollList& polls);
    /// Ended: all was written. Broken: the target takes no more; problem() says why.
    State state() const noexcept { return state_; }
    int problem() const noexcept { return problem_; }
    /// From now on what comes is read and dropped.
    void discard() noexcept;

private:
    void receive();
    void write_some();

    UniqueFd socket_;
    Sink sink_;
    State state_{State::Open};
    bool discarding_{false};
    int problem_{0};
    std::size_t begin_{0};
    std::size_t end_{0};
    std::array<char, pump_buffer_size> buffer_;
};

/// Whether the poll found something on this descriptor.
bool is_ready(const PollList& polls, int fd) noexcept;

}  // namespace banger::cli
